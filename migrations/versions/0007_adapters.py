"""LoRA adapters: immutable versions, the trail of which one is active, and work that takes no document."""

from alembic import op

revision = "0007"
down_revision = "0006"

TABLES = """
-- The row stays when an adapter is deleted, so that a number never means another version.
create table adapters (
    tenant_id   integer not null references tenants on delete cascade,
    name        text not null,
    newest      integer not null,
    primary key (tenant_id, name)
);

create table adapter_versions (
    tenant_id      integer not null,
    name           text not null,
    version        integer not null,
    engine_name    text not null unique,
    status         text not null default 'checking'
                   check (status in ('checking', 'loading', 'proving', 'ready', 'rejected', 'failed')),
    sha256         bytea not null,
    blob           text,
    bytes          bigint not null,
    base_model     text,
    rank           integer,
    target_modules text[],
    checks         jsonb not null default '[]',
    proof          jsonb,
    error_detail   text,
    -- Its folder is there for engines to read.
    published      boolean not null default false,
    created_at     timestamptz not null default now(),
    ready_at       timestamptz,
    deleted_at     timestamptz,
    primary key (tenant_id, name, version),
    foreign key (tenant_id, name) references adapters on delete cascade
);

-- Trail and truth at once: a tenant's row with the greatest seq is in force; without a name it is the base model.
-- `previous` is the row that a rollback goes back to; without one, the base model.
create table adapter_activations (
    tenant_id   integer not null references tenants on delete cascade,
    seq         bigint generated always as identity,
    action      text not null check (action in ('activate', 'deactivate', 'rollback')),
    name        text,
    version     integer,
    previous    bigint,
    key_id      text,
    at          timestamptz not null default now(),
    primary key (tenant_id, seq),
    foreign key (tenant_id, name, version) references adapter_versions on delete cascade,
    foreign key (tenant_id, previous) references adapter_activations on delete cascade,
    check ((name is null) = (version is null)),
    check (action <> 'activate' or name is not null)
);

create table tasks (
    tenant_id    integer not null references tenants on delete cascade,
    id           text not null,
    kind         text not null check (kind in ('check', 'tune', 'evaluate')),
    status       text not null default 'queued'
                 check (status in ('queued', 'running', 'succeeded', 'failed', 'cancelled')),
    name         text,
    version      integer,
    spec         jsonb not null default '{}',
    progress     jsonb,
    result       jsonb,
    error_code   text,
    error_detail text,
    attempt      integer not null default 0,
    not_before   timestamptz not null default now(),
    lease_until  timestamptz,
    worker       text,
    claimed_at   timestamptz,
    created_at   timestamptz not null default now(),
    finished_at  timestamptz,
    primary key (tenant_id, id)
);
create index tasks_open on tasks (kind, created_at) where status in ('queued', 'running');
create index tasks_turn on tasks (tenant_id, kind, claimed_at);
create index tasks_newest on tasks (tenant_id, created_at desc, id desc);
create index tasks_adapter on tasks (tenant_id, name, version);

-- A request that comes twice may have made a task as well as a job; both go with their tenant.
alter table idempotency_keys drop constraint idempotency_keys_tenant_id_job_id_fkey;
"""

OF_THIS_TENANT = "tenant_id = (select nullif(current_setting('app.tenant', true), '')::integer)"
SECURITY = "\n".join(
    f"""
    alter table {table} enable row level security;
    alter table {table} force row level security;
    create policy of_this_tenant on {table} using ({OF_THIS_TENANT}) with check ({OF_THIS_TENANT});
    """
    for table in ("adapters", "adapter_versions", "adapter_activations", "tasks")
)
# The trail is never changed.
GRANTS = """
grant select, insert, update on adapters, adapter_versions, tasks to kyujang_service;
grant select, insert on adapter_activations to kyujang_service;

create policy operator on adapter_versions to kyujang_operator using (true);
create policy operator on adapter_activations to kyujang_operator using (true);
create policy operator on tasks to kyujang_operator using (true) with check (true);
grant select (tenant_id, name, version, engine_name, status, proof, published, deleted_at)
    on adapter_versions to kyujang_operator;
grant select (tenant_id, seq, name, version) on adapter_activations to kyujang_operator;
grant select, update on tasks to kyujang_operator;
"""


def upgrade() -> None:
    for statements in (TABLES, SECURITY, GRANTS):
        op.get_bind().exec_driver_sql(statements)

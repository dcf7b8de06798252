"""Tenants, keys, documents, chunks, jobs, with row-level security from the start."""

from alembic import op

revision = "0001"
down_revision = None

TABLES = """
create table tenants (
    id          integer generated always as identity primary key,
    slug        text not null unique,
    name        text not null,
    chunk_count bigint not null default 0,
    created_at  timestamptz not null default now()
);

create table api_keys (
    tenant_id   integer not null references tenants on delete cascade,
    id          text not null unique,
    secret_hash bytea not null,
    scopes      text[] not null,
    created_at  timestamptz not null default now(),
    expires_at  timestamptz,
    revoked_at  timestamptz,
    primary key (tenant_id, id)
);

-- Which model made the vectors: vectors of two models must never be compared.
create table embedding_model (
    name        text primary key,
    dimension   integer not null,
    only_row    boolean not null default true unique check (only_row)
);

create table documents (
    tenant_id   integer not null references tenants on delete cascade,
    id          text not null,
    source      text,
    title       text,
    media_type  text not null,
    bytes       bigint not null,
    sha256      bytea not null,
    metadata    jsonb not null default '{}',
    chunks      integer not null,
    blob        text not null,
    created_at  timestamptz not null default now(),
    updated_at  timestamptz not null default now(),
    primary key (tenant_id, id)
);

-- halfvec without a dimension: any model fits, the index casts (docs/decisions/0002).
create table chunks (
    tenant_id   integer not null,
    id          bigint not null,
    document_id text not null,
    ord         integer not null,
    page        integer,
    start       integer not null,
    stop        integer not null,
    tokens      integer not null,
    content     text not null,
    embedding   halfvec not null,
    primary key (tenant_id, id),
    foreign key (tenant_id, document_id) references documents on delete cascade
) partition by hash (tenant_id);

create index chunks_document on chunks (tenant_id, document_id, ord);

create table jobs (
    tenant_id   integer not null references tenants on delete cascade,
    id          text not null,
    created_at  timestamptz not null default now(),
    primary key (tenant_id, id)
);

create table job_items (
    tenant_id    integer not null,
    job_id       text not null,
    n            integer not null,
    seq          bigint generated always as identity,
    document_id  text not null,
    source       text,
    title        text,
    media_type   text,
    bytes        bigint not null,
    sha256       bytea not null,
    metadata     jsonb,
    blob         text not null,
    status       text not null default 'queued'
                 check (status in ('queued', 'running', 'succeeded', 'unchanged', 'failed', 'cancelled')),
    stage        text not null default 'load' check (stage in ('load', 'split', 'embed', 'store', 'done')),
    chunks       integer,
    chunks_done  integer not null default 0,
    attempt      integer not null default 0,
    not_before   timestamptz not null default now(),
    lease_until  timestamptz,
    worker       text,
    error_code   text,
    error_detail text,
    created_at   timestamptz not null default now(),
    finished_at  timestamptz,
    primary key (tenant_id, job_id, n),
    foreign key (tenant_id, job_id) references jobs on delete cascade
);

create index job_items_open on job_items (seq) where status in ('queued', 'running');
create index job_items_open_document on job_items (tenant_id, document_id, seq) where status in ('queued', 'running');

-- What a job has embedded so far; a restarted worker goes on from here.
create table staged_chunks (
    tenant_id   integer not null,
    job_id      text not null,
    n           integer not null,
    ord         integer not null,
    page        integer,
    start       integer not null,
    stop        integer not null,
    tokens      integer not null,
    content     text not null,
    embedding   halfvec not null,
    primary key (tenant_id, job_id, n, ord),
    foreign key (tenant_id, job_id, n) references job_items on delete cascade
);
"""

PARTITIONS = "\n".join(
    f"create table chunks_{i} partition of chunks for values with (modulus 16, remainder {i});" for i in range(16)
)

# A query without a tenant set compares with null and so returns no row.
ISOLATED = ("api_keys", "documents", "chunks", "jobs", "job_items", "staged_chunks")
OF_THIS_TENANT = "tenant_id = (select nullif(current_setting('app.tenant', true), '')::integer)"
PARTITION_NAMES = tuple(f"chunks_{i}" for i in range(16))

SECURITY = "\n".join(
    f"""
    alter table {table} enable row level security;
    alter table {table} force row level security;
    create policy of_this_tenant on {table} using ({OF_THIS_TENANT}) with check ({OF_THIS_TENANT});
    """
    for table in (*ISOLATED, *PARTITION_NAMES)
)

TENANTS_SECURITY = """
alter table tenants enable row level security;
alter table tenants force row level security;
create policy of_this_tenant on tenants using (id = (select nullif(current_setting('app.tenant', true), '')::integer));

create policy operator on tenants   to kyujang_operator using (true) with check (true);
create policy operator on api_keys  to kyujang_operator using (true) with check (true);
create policy operator on job_items to kyujang_operator using (true) with check (true);

grant select on tenants, embedding_model to kyujang_service;
grant update (chunk_count) on tenants to kyujang_service;
grant select, insert, update, delete on documents, chunks, jobs, job_items, staged_chunks to kyujang_service;
grant select, insert, update, delete on tenants, api_keys to kyujang_operator;
grant select, update on job_items to kyujang_operator;
"""

DEFAULT_TENANT = """
set local role kyujang_operator;
insert into tenants (slug, name) values ('default', 'Default');
reset role;
"""


def upgrade() -> None:
    for statements in (TABLES, PARTITIONS, SECURITY, TENANTS_SECURITY, DEFAULT_TENANT):
        op.get_bind().exec_driver_sql(statements)

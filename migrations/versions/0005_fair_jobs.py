"""Whose turn it is among tenants with waiting documents, and requests that may come twice."""

from alembic import op

revision = "0005"
down_revision = "0004"

TABLES = """
create index job_items_open_tenant on job_items (tenant_id, seq) where status in ('queued', 'running');

-- When a worker last took a document of this tenant. Not in tenants: a worker that stores a document holds that row.
create table ingest_turns (
    tenant_id   integer primary key references tenants on delete cascade,
    at          timestamptz not null
);

create table idempotency_keys (
    tenant_id   integer not null references tenants on delete cascade,
    key         text not null,
    payload     bytea not null,
    job_id      text not null,
    created_at  timestamptz not null default now(),
    primary key (tenant_id, key),
    foreign key (tenant_id, job_id) references jobs on delete cascade deferrable initially deferred
);
create index idempotency_keys_age on idempotency_keys (tenant_id, created_at);
"""

OF_THIS_TENANT = "tenant_id = (select nullif(current_setting('app.tenant', true), '')::integer)"
SECURITY = "\n".join(
    f"""
    alter table {table} enable row level security;
    alter table {table} force row level security;
    create policy of_this_tenant on {table} using ({OF_THIS_TENANT}) with check ({OF_THIS_TENANT});
    """
    for table in ("ingest_turns", "idempotency_keys")
)
GRANTS = """
create policy operator on ingest_turns to kyujang_operator using (true) with check (true);
grant select, insert, update on ingest_turns to kyujang_operator;
grant select, insert, update, delete on idempotency_keys to kyujang_service;
"""


def upgrade() -> None:
    for statements in (TABLES, SECURITY, GRANTS):
        op.get_bind().exec_driver_sql(statements)

"""Tenants that are being deleted, and what was deleted of those that are gone."""

from alembic import op

revision = "0018"
down_revision = "0017"
oldest_software = "0.2.0"

# No foreign key: a row outlives its tenant. `tenant` is the tenant's public id.
TABLE = """
create table tenant_deletions (
    tenant_id   integer primary key,
    id          text not null unique,
    tenant      text not null,
    documents   bigint not null default 0,
    chunks      bigint not null default 0,
    files       bigint not null default 0,
    bytes       bigint not null default 0,
    prompts     bigint not null default 0,
    adapters    bigint not null default 0,
    jobs        bigint not null default 0,
    keys        bigint not null default 0,
    waiting_for text,
    not_before  timestamptz not null default now(),
    worker      text,
    lease_until timestamptz,
    created_at  timestamptz not null default now(),
    finished_at timestamptz
);
create unique index tenant_deletions_unfinished on tenant_deletions (tenant) where finished_at is null;
create index tenant_deletions_newest on tenant_deletions (tenant, created_at desc);

alter table tenant_deletions enable row level security;
alter table tenant_deletions force row level security;
create policy operator on tenant_deletions to kyujang_operator using (true) with check (true);
grant select, insert, update, delete on tenant_deletions to kyujang_operator;
"""


def upgrade() -> None:
    op.get_bind().exec_driver_sql(TABLE)

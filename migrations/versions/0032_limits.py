"""Limits of a tenant, which the operator sets, and its requests of this minute."""

from alembic import op

revision = "0032"
down_revision = "0031"
oldest_software = "0.2.0"
locks = {"tenants": "AccessExclusiveLock"}

TABLES = """
alter table tenants add column limits jsonb not null default '{}';

create table request_counts (
    tenant_id   integer primary key references tenants on delete cascade,
    minute      timestamptz not null,
    requests    integer not null
);
"""

OF_THIS_TENANT = "tenant_id = (select nullif(current_setting('app.tenant', true), '')::integer)"
SECURITY = f"""
alter table request_counts enable row level security;
alter table request_counts force row level security;
create policy of_this_tenant on request_counts using ({OF_THIS_TENANT}) with check ({OF_THIS_TENANT});
grant select, insert, update on request_counts to kyujang_service;
"""


def upgrade() -> None:
    for statements in (TABLES, SECURITY):
        op.get_bind().exec_driver_sql(statements)

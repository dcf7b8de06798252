"""An index of vectors outside the database: its collections, and how far each has followed each tenant."""

from alembic import op

revision = "0042"
down_revision = "0041"
oldest_software = "0.2.0"
locks = {"tenants": "ShareRowExclusiveLock"}

# A version stands for all changes up to it (table changes). What is searched there and gone here is judged by the
# database, so chunks are removed from the index later than they are put into it.
TABLES = """
create table index_collections (
    space         integer primary key,
    name          text not null,
    follower      text,
    followed_till timestamptz
);

create table index_positions (
    tenant_id   integer not null references tenants on delete cascade,
    collection  text not null,
    version     bigint not null,
    removed     bigint not null,
    primary key (tenant_id, collection)
);
"""

OF_THIS_TENANT = "tenant_id = (select nullif(current_setting('app.tenant', true), '')::integer)"
SECURITY = f"""
grant select, insert, update, delete on index_collections to kyujang_service;
grant select, insert, update, delete on index_collections to kyujang_operator;

alter table index_positions enable row level security;
alter table index_positions force row level security;
create policy of_this_tenant on index_positions using ({OF_THIS_TENANT}) with check ({OF_THIS_TENANT});
create policy operator on index_positions to kyujang_operator using (true) with check (true);
grant select, insert, update, delete on index_positions to kyujang_service;
grant select, delete on index_positions to kyujang_operator;
"""


def upgrade() -> None:
    for statements in (TABLES, SECURITY):
        op.get_bind().exec_driver_sql(statements)

"""Collections of documents."""

from alembic import op

revision = "0030"
down_revision = "0029"
oldest_software = "0.2.0"
locks = {
    "documents": "AccessExclusiveLock",
    "job_items": "AccessExclusiveLock",
    "tenants": "ShareRowExclusiveLock",
}

# What has no collection is in the one called `default`, which has a row only once it has a name or defaults. Of an item
# null leaves the document where it is.
TABLES = """
create table collections (
    tenant_id   integer not null references tenants on delete cascade,
    id          text not null,
    name        text,
    defaults    jsonb not null default '{}',
    created_at  timestamptz not null default now(),
    primary key (tenant_id, id)
);

alter table job_items add column collection text;
alter table documents
    add column collection text,
    add constraint documents_collection foreign key (tenant_id, collection) references collections not valid;
"""

OF_THIS_TENANT = "tenant_id = (select nullif(current_setting('app.tenant', true), '')::integer)"
SECURITY = f"""
alter table collections enable row level security;
alter table collections force row level security;
create policy of_this_tenant on collections using ({OF_THIS_TENANT}) with check ({OF_THIS_TENANT});
grant select, insert, update, delete on collections to kyujang_service;
"""


def upgrade() -> None:
    for statements in (TABLES, SECURITY):
        op.get_bind().exec_driver_sql(statements)

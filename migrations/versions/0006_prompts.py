"""Stored prompts: immutable versions, one of them active a name, one name a tenant's default."""

from alembic import op

revision = "0006"
down_revision = "0005"

TABLES = """
-- The row stays when a prompt is deleted, so that a number never means another version.
create table prompts (
    tenant_id   integer not null references tenants on delete cascade,
    name        text not null,
    newest      integer not null,
    active      integer,
    is_default  boolean not null default false,
    primary key (tenant_id, name)
);
create unique index prompts_default on prompts (tenant_id) where is_default;

create table prompt_versions (
    tenant_id   integer not null,
    name        text not null,
    version     integer not null,
    elements    jsonb not null,
    created_at  timestamptz not null default now(),
    primary key (tenant_id, name, version),
    foreign key (tenant_id, name) references prompts on delete cascade
);
alter table prompts add foreign key (tenant_id, name, active) references prompt_versions (tenant_id, name, version);
"""

OF_THIS_TENANT = "tenant_id = (select nullif(current_setting('app.tenant', true), '')::integer)"
SECURITY = "\n".join(
    f"""
    alter table {table} enable row level security;
    alter table {table} force row level security;
    create policy of_this_tenant on {table} using ({OF_THIS_TENANT}) with check ({OF_THIS_TENANT});
    """
    for table in ("prompts", "prompt_versions")
)
# Versions are never changed.
GRANTS = """
grant select, insert, update on prompts to kyujang_service;
grant select, insert, delete on prompt_versions to kyujang_service;
"""


def upgrade() -> None:
    for statements in (TABLES, SECURITY, GRANTS):
        op.get_bind().exec_driver_sql(statements)

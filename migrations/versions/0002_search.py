"""What searching needs: a log of changes for indexes in memory, and typed metadata values for filters."""

from alembic import op

revision = "0002"
down_revision = "0001"

# A clock instead of a counter: a database that was restored from a backup does not repeat a version.
CHANGES = """
alter table tenants
    add column version bigint not null default (extract(epoch from clock_timestamp()) * 1000000)::bigint;

create table changes (
    tenant_id   integer not null references tenants on delete cascade,
    version     bigint not null,
    previous    bigint not null,
    document_id text not null,
    removed     bigint[] not null,
    primary key (tenant_id, version)
);
"""

# The operators of jsonb are not leakproof, so under row-level security no index on metadata itself is ever used
# (docs/decisions/0006). A prefix of each value is enough: whoever looks here checks the metadata too.
VALUES = """
create index documents_source on documents (tenant_id, (source collate "C"));
create index documents_created_at on documents (tenant_id, created_at);

create table document_values (
    tenant_id   integer not null,
    document_id text not null,
    key         text collate "C" not null,
    text        text collate "C",
    number      double precision,
    foreign key (tenant_id, document_id) references documents on delete cascade
);

create index document_values_document on document_values (tenant_id, document_id);
create index document_values_text on document_values (tenant_id, key, text, document_id) where text is not null;
create index document_values_number on document_values (tenant_id, key, number, document_id) where number is not null;

create function keep_document_values() returns trigger language plpgsql as $$
begin
    delete from document_values where tenant_id = new.tenant_id and document_id = new.id;
    insert into document_values (tenant_id, document_id, key, text, number)
    select new.tenant_id, new.id, left(field.key, 100),
           case jsonb_typeof(each.value) when 'string' then left(each.value #>> '{}', 200) end,
           case jsonb_typeof(each.value) when 'number' then (each.value #>> '{}')::double precision
                                         when 'boolean' then (each.value #>> '{}')::boolean::integer end
    from jsonb_each(new.metadata) as field,
         jsonb_array_elements(case jsonb_typeof(field.value)
                              when 'array' then field.value else jsonb_build_array(field.value) end) as each
    where jsonb_typeof(each.value) in ('string', 'number', 'boolean');
    return null;
end
$$;

create trigger document_values after insert or update of metadata on documents
for each row execute function keep_document_values();
"""

OF_THIS_TENANT = "tenant_id = (select nullif(current_setting('app.tenant', true), '')::integer)"

SECURITY = "\n".join(
    f"""
    alter table {table} enable row level security;
    alter table {table} force row level security;
    create policy of_this_tenant on {table} using ({OF_THIS_TENANT}) with check ({OF_THIS_TENANT});
    grant select, insert, delete on {table} to kyujang_service;
    """
    for table in ("changes", "document_values")
)

GRANTS = "grant update (version) on tenants to kyujang_service;"


def upgrade() -> None:
    connection = op.get_bind()
    for statements in (CHANGES, VALUES, SECURITY, GRANTS):
        connection.exec_driver_sql(statements)
    connection.exec_driver_sql("set local role kyujang_operator")
    tenants = [row[0] for row in connection.exec_driver_sql("select id from tenants").fetchall()]
    connection.exec_driver_sql("reset role")
    # The owner is bound by row-level security too: what is stored already is gone through tenant by tenant.
    for tenant in tenants:
        connection.exec_driver_sql("select set_config('app.tenant', %s, true)", (str(tenant),))
        connection.exec_driver_sql("update documents set metadata = metadata")

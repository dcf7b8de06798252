"""Numbers of documents in the table of metadata values: its indexes cannot hold an id of up to 2 KB beside a value."""

from alembic import op

revision = "0015"
down_revision = "0014"
oldest_software = "0.2.0"
needs_stop = True
locks = {"document_values": "AccessExclusiveLock", "documents": "AccessExclusiveLock"}
works_on = ("documents", "tenants")
drops = ("document_values.document_id",)

NUMBERS = """
alter table documents add column number bigint generated always as identity;
alter table documents add unique (tenant_id, number);

drop table document_values;
create table document_values (
    tenant_id   integer not null,
    document    bigint not null,
    key         text collate "C" not null,
    text        text collate "C",
    number      double precision,
    foreign key (tenant_id, document) references documents (tenant_id, number) on delete cascade
);

create function values_of(document documents) returns setof document_values language sql stable as $$
    select document.tenant_id, document.number, left(field.key, 100),
           case jsonb_typeof(each.value) when 'string' then left(each.value #>> '{}', 200) end,
           case jsonb_typeof(each.value) when 'number' then (each.value #>> '{}')::double precision
                                         when 'boolean' then (each.value #>> '{}')::boolean::integer end
    from jsonb_each(document.metadata) as field,
         jsonb_array_elements(case jsonb_typeof(field.value)
                              when 'array' then field.value else jsonb_build_array(field.value) end) as each
    where jsonb_typeof(each.value) in ('string', 'number', 'boolean')
$$;

create or replace function keep_document_values() returns trigger language plpgsql as $$
begin
    delete from document_values where tenant_id = new.tenant_id and document = new.number;
    insert into document_values select * from values_of(new);
    return null;
end
$$;
"""

INDEXES = """
create index document_values_document on document_values (tenant_id, document);
create index document_values_text on document_values (tenant_id, key, text, document) where text is not null;
create index document_values_number on document_values (tenant_id, key, number, document) where number is not null;
"""

OF_THIS_TENANT = "tenant_id = (select nullif(current_setting('app.tenant', true), '')::integer)"
SECURITY = f"""
alter table document_values enable row level security;
alter table document_values force row level security;
create policy of_this_tenant on document_values using ({OF_THIS_TENANT}) with check ({OF_THIS_TENANT});
grant select, insert, delete on document_values to kyujang_service;
"""


def upgrade() -> None:
    connection = op.get_bind()
    connection.exec_driver_sql(NUMBERS)
    connection.exec_driver_sql(SECURITY)
    connection.exec_driver_sql("set local role kyujang_operator")
    tenants = [row[0] for row in connection.exec_driver_sql("select id from tenants").fetchall()]
    connection.exec_driver_sql("reset role")
    # The owner is bound by row-level security too: what is stored already is gone through tenant by tenant.
    for tenant in tenants:
        connection.exec_driver_sql("select set_config('app.tenant', %s, true)", (str(tenant),))
        connection.exec_driver_sql("insert into document_values select v.* from documents d, values_of(d) v")
    connection.exec_driver_sql(INDEXES)

"""A place for each chunk of a tenant's map, near those that are alike."""

from alembic import op

revision = "0056"
down_revision = "0053"
oldest_software = "0.2.0"
locks = {"tenants": "ShareRowExclusiveLock"}

# Made when the tenant had so many chunks, and brought up to `version`. Numbers of chunks that are gone meanwhile match
# none when the map is looked at, as those do not that the caller may not see.
TABLES = """
create table map_layouts (
    tenant_id   integer primary key references tenants on delete cascade,
    space       integer not null,
    version     bigint not null,
    chunks      bigint not null,
    chunk_ids   bigint[] not null,
    x           real[] not null,
    y           real[] not null,
    made_at     timestamptz not null default now()
);
"""

OF_THIS_TENANT = "tenant_id = (select nullif(current_setting('app.tenant', true), '')::integer)"
SECURITY = f"""
alter table map_layouts enable row level security;
alter table map_layouts force row level security;
create policy of_this_tenant on map_layouts using ({OF_THIS_TENANT}) with check ({OF_THIS_TENANT});
grant select, insert, update on map_layouts to kyujang_service;
"""

# No subscriber is told of a map that has been made.
TRIGGER = """
create or replace function note_ended_item() returns trigger
language plpgsql security definer set search_path = public, pg_temp as $$
begin
    if new.kind in ('map', 'neighbours') or not exists (select from webhooks where tenant_id = new.tenant_id) then
        return null;
    end if;
    if new.status = 'failed' and new.kind in ('ingest', 'rechunk') then
        perform note_webhook_event(new.tenant_id, 'document.failed', new.job_id || '/' || new.n, jsonb_build_object(
            'job', new.job_id, 'document', new.document_id, 'code', new.error_code));
    end if;
    perform note_ended_job(new.tenant_id, new.job_id);
    return null;
end $$;
"""


def upgrade() -> None:
    for statements in (TABLES, SECURITY, TRIGGER):
        op.get_bind().exec_driver_sql(statements)

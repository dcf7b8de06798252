"""An outbox of files: whatever stops naming a file leaves a row here, and the sweep removes files by these rows."""

from alembic import op

revision = "0013"
down_revision = "0012"
oldest_software = "0.2.0"
locks = {
    "adapter_versions": "ShareRowExclusiveLock",
    "documents": "ShareRowExclusiveLock",
    "job_items": "ShareRowExclusiveLock",
    "tenants": "ShareRowExclusiveLock",
}

# `path` may still be named by another row, which the sweep looks up; one that ends with a slash is a tenant's folder.
# No foreign key: the rows outlive their tenant.
TABLES = """
create table removals (
    seq        bigint generated always as identity primary key,
    tenant_id  integer not null,
    path       text not null,
    at         timestamptz not null default now()
);
-- While one of these is in force no file is removed: a backup copies what its snapshot names.
create table removal_holds (
    id    text primary key,
    until timestamptz not null
);

alter table removals enable row level security;
alter table removals force row level security;
-- A cascade runs for no tenant. What a row names is only removed if nothing of that tenant needs it.
create policy noted on removals for insert with check (true);
create policy operator on removals to kyujang_operator using (true) with check (true);
grant insert on removals to kyujang_service, kyujang_operator;
grant select, delete on removals to kyujang_operator;
grant select on removal_holds to kyujang_service, kyujang_operator;
"""

# Of a deleted tenant the folder goes as a whole.
TRIGGERS = """
create function note_removal() returns trigger language plpgsql as $$
begin
    insert into removals (tenant_id, path) select old.tenant_id, old.blob from tenants where id = old.tenant_id;
    return null;
end $$;
create function note_tenant_removal() returns trigger language plpgsql as $$
begin
    insert into removals (tenant_id, path) values (old.id, old.id || '/');
    return null;
end $$;

create trigger removed after delete on documents for each row execute function note_removal();
create trigger replaced after update of blob on documents for each row
    when (old.blob is distinct from new.blob) execute function note_removal();
create trigger ended after update of status on job_items for each row
    when (old.blob is not null and old.status in ('queued', 'running')
          and new.status in ('unchanged', 'failed', 'cancelled'))
    execute function note_removal();
create trigger removed after delete on job_items for each row
    when (old.blob is not null and old.status in ('queued', 'running')) execute function note_removal();
create trigger removed after delete on adapter_versions for each row
    when (old.blob is not null) execute function note_removal();
create trigger replaced after update of blob on adapter_versions for each row
    when (old.blob is not null and old.blob is distinct from new.blob) execute function note_removal();
create trigger removed after delete on tenants for each row execute function note_tenant_removal();
"""


def upgrade() -> None:
    for statements in (TABLES, TRIGGERS):
        op.get_bind().exec_driver_sql(statements)

"""Adapters in object storage: a version's .tar lies under its SHA-256 there, and goes by the outbox."""

from alembic import op

revision = "0017"
down_revision = "0016"
oldest_software = "0.2.0"
locks = {"adapter_versions": "AccessExclusiveLock"}

# Null where the files lie in the folder that the engine reads.
COLUMN = """
alter table adapter_versions add column digest bytea;
grant select (digest) on adapter_versions to kyujang_operator;
"""

# As in app/storage/adapter_archives.py. Of a deleted tenant the folder goes as a whole.
TRIGGERS = """
create function note_adapter_removal() returns trigger language plpgsql as $$
begin
    insert into removals (tenant_id, path)
    select old.tenant_id,
           concat('adapters/', old.tenant_id, '/', old.engine_name, '/', encode(old.digest, 'hex'), '.tar')
    from tenants where id = old.tenant_id;
    return null;
end $$;

create trigger archive_removed after delete on adapter_versions for each row
    when (old.digest is not null) execute function note_adapter_removal();
create trigger archive_ended after update on adapter_versions for each row
    when (old.digest is not null
          and (new.digest is distinct from old.digest
               or (old.deleted_at is null and new.deleted_at is not null)
               or (old.status not in ('rejected', 'failed') and new.status in ('rejected', 'failed'))))
    execute function note_adapter_removal();
"""


def upgrade() -> None:
    op.get_bind().exec_driver_sql(COLUMN)
    op.get_bind().exec_driver_sql(TRIGGERS)

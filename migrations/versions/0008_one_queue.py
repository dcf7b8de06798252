"""One queue: tasks become jobs of one item each, so that documents and tasks are claimed and leased alike."""

from alembic import op

revision = "0008"
down_revision = "0007"
oldest_software = "0.2.0"
needs_stop = True
locks = {
    "ingest_turns": "AccessExclusiveLock",
    "job_items": "AccessExclusiveLock",
    "jobs": "AccessExclusiveLock",
    "tasks": "AccessExclusiveLock",
    "tenants": "AccessExclusiveLock",
}
works_on = ("ingest_turns", "job_items", "jobs", "tasks", "tenants")
drops = ("ingest_turns", "job_items.bytes", "tasks")

# Only the catalogue changes, however many items there are; the constraint holds for new rows.
TABLES = """
alter table jobs add column kind text not null default 'ingest';
alter table job_items rename column bytes to size;
alter table job_items
    add column kind text not null default 'ingest',
    add column name text,
    add column version integer,
    add column spec jsonb,
    add column progress jsonb,
    add column result jsonb,
    alter column document_id drop not null,
    alter column size drop not null,
    alter column sha256 drop not null,
    alter column blob drop not null,
    add constraint job_items_document check (
        kind <> 'ingest' or num_nulls(document_id, size, sha256, blob) = 0) not valid;

alter table ingest_turns rename to job_turns;
alter table job_turns add column kind text not null default 'ingest';
alter table job_turns drop constraint ingest_turns_pkey;
alter table job_turns add primary key (tenant_id, kind);
"""

# These read each item once.
INDEXES = """
drop index job_items_open_tenant;
create index job_items_open_kind on job_items (kind, tenant_id, seq) where status in ('queued', 'running');
create index job_items_adapter on job_items (tenant_id, name, version) where name is not null;
create index jobs_newest on jobs (tenant_id, created_at desc, id desc);
"""

TURNS = """
insert into job_turns (tenant_id, kind, at)
select tenant_id, kind, max(claimed_at) from tasks where claimed_at is not null group by tenant_id, kind
"""
TENANTS = "select distinct tenant_id from tasks"
TASKS = """
insert into jobs (tenant_id, id, kind, created_at)
select tenant_id, id, kind, created_at from tasks where tenant_id = current_setting('app.tenant')::integer;
insert into job_items
    (tenant_id, job_id, n, kind, name, version, spec, progress, result, status, attempt, not_before, lease_until,
     worker, error_code, error_detail, created_at, finished_at)
select tenant_id, id, 0, kind, name, version, spec, progress, result, status, attempt, not_before, lease_until,
       worker, error_code, error_detail, created_at, finished_at
from tasks where tenant_id = current_setting('app.tenant')::integer order by created_at, id;
"""


def upgrade() -> None:
    connection = op.get_bind()
    for statements in (TABLES, INDEXES):
        connection.exec_driver_sql(statements)
    connection.exec_driver_sql("set local role kyujang_operator")
    connection.exec_driver_sql(TURNS)
    tenants = [row[0] for row in connection.exec_driver_sql(TENANTS).fetchall()]
    connection.exec_driver_sql("reset role")
    # The owner is bound by row-level security too, unless it is a superuser.
    for tenant in tenants:
        connection.exec_driver_sql("select set_config('app.tenant', %s, true)", (str(tenant),))
        connection.exec_driver_sql(TASKS)
    connection.exec_driver_sql("drop table tasks")

"""Whether anything of a job is unfinished."""

from alembic import op

revision = "0040"
down_revision = "0035"
oldest_software = "0.2.0"
works_on = ("job_items",)


def upgrade() -> None:
    with op.get_context().autocommit_block():
        op.execute("set lock_timeout = 0")
        op.execute("drop index concurrently if exists job_items_open_job")
        op.execute(
            """
            create index concurrently job_items_open_job on job_items (tenant_id, job_id)
            where status in ('queued', 'running')
            """
        )
        op.execute("set lock_timeout = '500ms'")

"""The unfinished items of what a document holds, found without reading the others."""

from alembic import op

revision = "0028"
down_revision = "0027"
oldest_software = "0.2.0"
works_on = ("job_items",)


def upgrade() -> None:
    with op.get_context().autocommit_block():
        op.execute("set lock_timeout = 0")
        op.execute("drop index concurrently if exists job_items_open_parent")
        op.execute(
            """
            create index concurrently job_items_open_parent on job_items (tenant_id, parent)
                where parent is not null and status in ('queued', 'running')
            """
        )
        op.execute("set lock_timeout = '500ms'")

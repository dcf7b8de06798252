"""An index on what was accepted of each document: its parts change with the document's."""

from alembic import op

revision = "0046"
down_revision = "0045"
oldest_software = "0.2.0"
works_on = ("job_items",)


def upgrade() -> None:
    with op.get_context().autocommit_block():
        op.execute("set lock_timeout = 0")
        op.execute("drop index concurrently if exists job_items_of_document")
        op.execute("create index concurrently job_items_of_document on job_items (tenant_id, document_id)")
        op.execute("set lock_timeout = '500ms'")

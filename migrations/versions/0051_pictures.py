"""Where a document's pictures stand in its text, how large they are and what is said of them, with each piece of it."""

from alembic import op

revision = "0051"
down_revision = "0047"
oldest_software = "0.2.0"
locks = {"document_texts": "AccessExclusiveLock"}

# Texts from before have none until their documents are read again.
COLUMN = "alter table document_texts add column pictures jsonb"


def upgrade() -> None:
    op.get_bind().exec_driver_sql(COLUMN)

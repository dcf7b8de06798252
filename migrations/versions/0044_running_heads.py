"""What was left out of a page's text at its top and bottom: running heads, feet and page numbers."""

from alembic import op

revision = "0044"
down_revision = "0043"
oldest_software = "0.2.0"
locks = {"document_pages": "AccessExclusiveLock"}

# Pages from before have none until they are read again.
COLUMNS = "alter table document_pages add column head text, add column foot text"


def upgrade() -> None:
    op.get_bind().exec_driver_sql(COLUMNS)

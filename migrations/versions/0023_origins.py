"""Where each code point of a page's text stands in the file."""

from alembic import op

revision = "0023"
down_revision = "0022"
oldest_software = "0.2.0"
locks = {"document_pages": "AccessExclusiveLock"}

# Packed by app/storage/origins.py. Pages from before have none until they are read again, and neither have those of
# formats whose readers do not say.
COLUMN = "alter table document_pages add column origins bytea"


def upgrade() -> None:
    op.get_bind().exec_driver_sql(COLUMN)

"""What made a document's chunks, and what its upload said of it, so that they can be made again from its file."""

from alembic import op

revision = "0012"
down_revision = "0011"
oldest_software = "0.2.0"
locks = {"documents": "AccessExclusiveLock"}

# Of documents from before all four are null.
COLUMNS = """
alter table documents
    add column loader integer,
    add column splitter text,
    add column sent_title text,
    add column sent_type text;
"""


def upgrade() -> None:
    op.get_bind().exec_driver_sql(COLUMNS)

"""Titles that documents were given after their chunks were embedded."""

from alembic import op

revision = "0020"
down_revision = "0019"
oldest_software = "0.2.0"
locks = {"documents": "AccessExclusiveLock"}

# `title` is what the chunks are searched with, until they are embedded again under this one.
COLUMN = "alter table documents add column new_title text"


def upgrade() -> None:
    op.get_bind().exec_driver_sql(COLUMN)

"""How many pages of a document were read, and notices of what its text lacks; the same of each of a job's documents."""

from alembic import op

revision = "0021"
down_revision = "0020"
oldest_software = "0.2.0"
locks = {"documents": "AccessExclusiveLock", "job_items": "AccessExclusiveLock"}

# Documents from before were read without notices: the first is null, the second empty.
COLUMNS = """
alter table documents
    add column page_counts jsonb,
    add column warnings jsonb not null default '[]';
alter table job_items
    add column page_counts jsonb,
    add column warnings jsonb not null default '[]';
"""


def upgrade() -> None:
    op.get_bind().exec_driver_sql(COLUMNS)

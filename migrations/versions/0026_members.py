"""Files inside others, such as attachments, as documents that name the one that holds them."""

from alembic import op

revision = "0026"
down_revision = "0025"
oldest_software = "0.2.0"
locks = {"documents": "AccessExclusiveLock", "job_items": "AccessExclusiveLock"}

COLUMNS = """
alter table documents add column parent text;
alter table job_items add column parent text;
"""


def upgrade() -> None:
    op.get_bind().exec_driver_sql(COLUMNS)

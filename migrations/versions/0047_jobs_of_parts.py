"""Jobs are seen by their items, which a key that is bound to a part sees inside it alone."""

from alembic import op

revision = "0047"
down_revision = "0046"
oldest_software = "0.2.0"
locks = {"jobs": "AccessExclusiveLock", "staged_pages": "AccessExclusiveLock"}

WALL = """
create policy of_this_part on {table} as restrictive to kyujang_service
using ((select current_setting('app.part', true) = 'all') or {seen})
"""
JOB = "(select true from job_items i where i.tenant_id = jobs.tenant_id and i.job_id = jobs.id limit 1)"
PAGE = """(
    select true from job_items i
    where i.tenant_id = staged_pages.tenant_id and i.job_id = staged_pages.job_id and i.n = staged_pages.n
)"""


def upgrade() -> None:
    for table, seen in (("jobs", JOB), ("staged_pages", PAGE)):
        op.get_bind().exec_driver_sql(WALL.format(table=table, seen=seen))

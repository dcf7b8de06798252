"""The small documents that wait, which have a lane of their own: found without reading the large ones before them."""

from alembic import op

revision = "0011"
down_revision = "0010"
oldest_software = "0.2.0"
needs_stop = True
locks = {"job_items": "ShareLock"}
works_on = ("job_items",)

# The size is SMALL_BYTES of ingest/jobs/claiming.py.
INDEX = """
create index job_items_open_small on job_items (kind, tenant_id, seq)
    where status in ('queued', 'running') and size <= 262144
"""


def upgrade() -> None:
    op.get_bind().exec_driver_sql(INDEX)

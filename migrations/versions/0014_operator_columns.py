"""The operator role reads of the queue what it takes to hand out an item, and not what the item is about."""

from alembic import op

revision = "0014"
down_revision = "0013"
oldest_software = "0.2.0"

# The rest is a tenant's content: names of files, titles, metadata, rows, cases, results.
GRANTS = """
revoke select, update on job_items from kyujang_operator;
grant select (tenant_id, job_id, n, seq, kind, document_id, size, status, attempt, not_before, lease_until, worker)
    on job_items to kyujang_operator;
grant update (status, attempt, not_before, lease_until, worker) on job_items to kyujang_operator;
"""


def upgrade() -> None:
    op.get_bind().exec_driver_sql(GRANTS)

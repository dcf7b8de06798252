"""A job names the span of the request that asked for it, to which a worker's trace is linked."""

from alembic import op

revision = "0053"
down_revision = "0052"
oldest_software = "0.2.0"
locks = {"jobs": "AccessExclusiveLock"}


def upgrade() -> None:
    op.execute("alter table jobs add column traceparent text")

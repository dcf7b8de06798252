"""The documents that have notices, which are few: found without reading the others."""

from alembic import op

revision = "0022"
down_revision = "0021"
oldest_software = "0.2.0"
works_on = ("documents",)


def upgrade() -> None:
    with op.get_context().autocommit_block():
        # It waits for every transaction that began earlier, and is begun again after an interruption.
        op.execute("set lock_timeout = 0")
        op.execute("drop index concurrently if exists documents_with_notices")
        op.execute(
            "create index concurrently documents_with_notices on documents (tenant_id, id) where warnings <> '[]'"
        )
        op.execute("set lock_timeout = '500ms'")

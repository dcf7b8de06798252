"""The documents that another holds, found without reading the others."""

from alembic import op

revision = "0027"
down_revision = "0026"
oldest_software = "0.2.0"
works_on = ("documents",)


def upgrade() -> None:
    with op.get_context().autocommit_block():
        op.execute("set lock_timeout = 0")
        op.execute("drop index concurrently if exists documents_parent")
        op.execute(
            "create index concurrently documents_parent on documents (tenant_id, parent) where parent is not null"
        )
        op.execute("set lock_timeout = '500ms'")

"""The documents of a collection, found without reading the others."""

from alembic import op

revision = "0031"
down_revision = "0030"
oldest_software = "0.2.0"
works_on = ("documents",)


def upgrade() -> None:
    with op.get_context().autocommit_block():
        op.execute("set lock_timeout = 0")
        op.execute("drop index concurrently if exists documents_collection")
        op.execute("create index concurrently documents_collection on documents (tenant_id, collection)")
        op.execute("alter table documents validate constraint documents_collection")
        op.execute("set lock_timeout = '500ms'")

"""The headings that a chunk stands under, the header of its table, and the page that it ends on."""

from alembic import op

revision = "0025"
down_revision = "0024"
oldest_software = "0.2.0"
locks = {"chunks": "AccessExclusiveLock", "staged_chunks": "AccessExclusiveLock"}

# All are null in chunks from before. The header's place counts code points, as that of the chunk does.
COLUMNS = "\n".join(
    f"""
    alter table {table}
        add column headings text[],
        add column header_start integer,
        add column header_stop integer,
        add column last_page integer;
    """
    for table in ("chunks", "staged_chunks")
)


def upgrade() -> None:
    op.get_bind().exec_driver_sql(COLUMNS)

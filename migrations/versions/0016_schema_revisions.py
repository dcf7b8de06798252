"""The revisions that were applied, each with the oldest Kyujang that may run on its schema."""

from alembic import op

revision = "0016"
down_revision = "0015"
oldest_software = "0.2.0"

# app/storage/revisions.py adds the rows.
TABLE = """
create table schema_revisions (
    revision        text primary key,
    oldest_software text not null,
    applied_at      timestamptz not null default now()
);
grant select on schema_revisions to kyujang_service;
"""


def upgrade() -> None:
    op.get_bind().exec_driver_sql(TABLE)

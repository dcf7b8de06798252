"""A task that was answered from several parts is seen by who sees all of them."""

from alembic import op

revision = "0052"
down_revision = "0051"
oldest_software = "0.2.0"
locks = {"job_items": "AccessExclusiveLock"}

# Those of the caller that exist: a number stays in the items when its part is gone.
SEEN = """(
    select array_agg(p.number) from parts p where p.number = any ((
        select string_to_array(nullif(nullif(current_setting('app.part', true), 'all'), ''), ',')::integer[]
    )::integer[])
)"""
WALL = f"""
alter policy of_this_part on job_items using (
    (select current_setting('app.part', true) = 'all')
    or case when kind in ('ingest', 'rechunk') then parts && {SEEN} else parts <> '{{}}' and parts <@ {SEEN} end
)
"""


def upgrade() -> None:
    op.get_bind().exec_driver_sql(WALL)

"""Cut a page of rows off at a size in bytes, in the database: what a tenant stored may be large."""

from __future__ import annotations

from psycopg.rows import DictRow

MAX_PAGE_BYTES = 8 << 20


def within_bytes(query: str, size: str, order: str) -> str:
    """Return the first of the query's rows that the size has room for, and at least one; `found` counts them all."""
    return f"""
        select * from (
            select page.*, sum({size}) over (order by {order}) as reached, count(*) over () as found,
                   row_number() over (order by {order}) as nth
            from ({query}) page
        ) page
        where nth = 1 or reached <= {MAX_PAGE_BYTES} order by {order}
        """  # noqa: S608 - the parts are our own


def cut(rows: list[DictRow], limit: int) -> tuple[list[DictRow], bool]:
    """Return at most `limit` rows of one more that were asked for, and whether there are more."""
    return rows[:limit], bool(rows) and rows[0]["found"] > min(limit, len(rows))

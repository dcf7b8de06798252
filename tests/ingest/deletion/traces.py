"""Looks for what is left of a tenant: in every table and in every file."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

import psycopg

TABLES = """
select relname from pg_class where relkind = 'r' and relnamespace = 'public'::regnamespace order by relname
"""


def in_tables(owner_url: str, needles: Sequence[str]) -> set[str]:
    """Return the tables, partitions apart, in a row of which one of these stands: as text, or in bytes."""
    patterns = [f"%{form}%" for needle in needles for form in (needle, needle.encode().hex())]
    with psycopg.connect(owner_url) as owner:
        return {
            re.sub(r"_\d+$", "", table) if re.match(r"(chunks|postings|vectors_\d+)_\d+$", table) else table
            for (table,) in owner.execute(TABLES).fetchall()
            if owner.execute(
                f"select exists (select from {table} t where t::text ilike any(%s))",
                [patterns],
            ).fetchone()
            == (True,)
        }


def rows(owner_url: str, tables: Sequence[str], tenant: int) -> dict[str, int]:
    """Return how many rows of the tenant each of these has, if any."""
    with psycopg.connect(owner_url) as owner:
        counts = {
            table: owner.execute(f"select count(*) from {table} where tenant_id = %s", [tenant]).fetchone()[0]
            for table in tables
        }
    return {table: count for table, count in counts.items() if count}


def in_files(folder: Path, needles: Sequence[str], tenant: int) -> set[str]:
    """Return the files and folders in or below which one of these stands, or whose name has the tenant's number."""
    numbered = re.compile(rf"(^|/|/\.?t){tenant}(--|\.|/|$)")
    sought = [needle.encode() for needle in needles]
    found = set()
    for path in folder.rglob("*"):
        name = str(path.relative_to(folder))
        content = path.read_bytes() if path.is_file() else b""
        if numbered.search(name) or any(each in name.encode() or each in content for each in sought):
            found.add(name)
    return found

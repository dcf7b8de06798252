"""Which software may run on which schema: each revision stores the oldest that may."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import psycopg
from psycopg.rows import class_row

from app import __version__
from app.errors import NotConfigured
from app.storage.database import Database, fetch_one

MIGRATIONS = Path(__file__).resolve().parents[2] / "migrations"
STORED = "select revision, oldest_software from schema_revisions order by revision desc limit 1"
BEHIND = (
    "The database's schema is older than this Kyujang: run 'python -m app migrate', or first 'python -m app migrate "
    "--dry-run', which says what it will do and how long it takes (docs/operations/upgrade.md)."
)
TOO_NEW = (
    "This database was migrated for Kyujang {} or newer, and this is {}: install a newer version again, or restore a "
    "backup that was made before that 'migrate' (docs/operations/upgrade.md)."
)


@dataclass(frozen=True, slots=True)
class Schema:
    """The last revision that was applied, and the oldest version of Kyujang that may run on it."""

    revision: str
    oldest_software: str


def newest_schema() -> str:
    """Return the revision that this version migrates to."""
    return max(path.name.partition("_")[0] for path in (MIGRATIONS / "versions").glob("[0-9]*.py"))


async def refuse_other_schema(database: Database) -> None:
    """Raises NotConfigured with what to do, unless this version may run on the database's schema."""
    try:
        async with database.shared() as connection:
            row = await fetch_one(connection, STORED)
    except psycopg.errors.UndefinedTable:
        row = None
    _refuse_older(Schema(**row) if row else None)


def refuse_other_schema_of(owner: psycopg.Connection) -> None:
    """As refuse_other_schema(), for a command that connects as the schema's owner."""
    _refuse_older(stored_schema(owner))


def stored_schema(owner: psycopg.Connection) -> Schema | None:
    """Return None for a database from before versions were stored, an empty one included."""
    if owner.execute("select to_regclass('public.schema_revisions')").fetchone() == (None,):
        return None
    return owner.cursor(row_factory=class_row(Schema)).execute(STORED).fetchone()


def is_newer(stored: Schema | None) -> bool:
    """Return whether it is newer than this version's. Raises NotConfigured if this version may not run on it."""
    if stored is not None and release(stored.oldest_software) > release(__version__):
        raise NotConfigured(TOO_NEW.format(stored.oldest_software, __version__))
    return stored is not None and stored.revision > newest_schema()


def _refuse_older(stored: Schema | None) -> None:
    if not is_newer(stored) and (stored is None or stored.revision < newest_schema()):
        raise NotConfigured(BEHIND)


def release(version: str) -> tuple[int, ...]:
    """Return the numbers of a version: 0.2.0.dev0 may do what 0.2.0 may."""
    return tuple(map(int, version.split(".")[:3]))

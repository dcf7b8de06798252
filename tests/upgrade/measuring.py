"""What a revision does to a database: seen from inside its own transaction, right before it is committed."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import psycopg
import pytest
from sqlalchemy import Engine, event

from app.storage import revisions
from app.storage.revisions import Revision

# Weakest first; those below let others read and write.
BLOCKING = ("ShareLock", "ShareRowExclusiveLock", "ExclusiveLock", "AccessExclusiveLock")
TABLES = """
select c.oid, coalesce(root.relname, c.relname) from pg_class c
left join pg_class root on root.oid = pg_partition_root(c.oid) and c.relispartition
where c.relkind in ('r', 'p') and c.relnamespace = 'public'::regnamespace
"""
LOCKS = "select relation, mode from pg_locks where pid = pg_backend_pid() and locktype = 'relation'"
# By their numbers: a table that this transaction has dropped is in no view.
TOUCHED = """
select id from unnest(%s::oid[]) as id
where pg_stat_get_xact_numscans(id) + pg_stat_get_xact_tuples_inserted(id) + pg_stat_get_xact_tuples_updated(id)
    + pg_stat_get_xact_tuples_deleted(id) > 0
"""
COLUMNS = """
select c.relname, a.attname, format_type(a.atttypid, a.atttypmod),
       a.attnotnull and not a.atthasdef and a.attidentity = ''
from pg_class c join pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
where c.relkind in ('r', 'p') and not c.relispartition and c.relnamespace = 'public'::regnamespace
"""
OUTSIDE_A_TRANSACTION = re.compile(
    r"\s*(set |select |insert |update |delete |(create( unique)?|drop|reindex) index concurrently "
    r"|alter table \S+ validate constraint |alter index \S+ attach partition )",
    re.IGNORECASE,
)


@dataclass
class Measured:
    locks: dict[str, str] = field(default_factory=dict)
    works_on: set[str] = field(default_factory=set)
    drops: set[str] = field(default_factory=set)
    required: set[str] = field(default_factory=set)
    """New columns of old tables that an older version's inserts would have to fill."""
    committed_at_once: list[str] = field(default_factory=list)


def measured(owner_url: str, revision: Revision) -> Measured:
    """Apply the revision, and return what it did to the tables that were there before."""
    found = Measured()
    with psycopg.connect(owner_url, autocommit=True) as owner:
        tables = dict(owner.execute(TABLES).fetchall())
        before = owner.execute(COLUMNS).fetchall()
    store = revisions.store_revision

    def look(*, ctx: Any, **others: Any) -> None:
        cursor = ctx.connection.connection.cursor()
        held = cursor.execute(LOCKS).fetchall()
        for oid, mode in sorted(held, key=lambda lock: BLOCKING.index(lock[1]) if lock[1] in BLOCKING else -1):
            if oid in tables and mode in BLOCKING:
                found.locks[tables[oid]] = mode
        touched = {tables[oid] for (oid,) in cursor.execute(TOUCHED, [[*tables]]).fetchall()}
        found.works_on = touched - {"alembic_version", "schema_revisions"}
        after = cursor.execute(COLUMNS).fetchall()
        found.drops, found.required = _compared(before, after)
        store(ctx=ctx, **others)

    with pytest.MonkeyPatch.context() as patch, _noted(found.committed_at_once):
        patch.setattr(revisions, "store_revision", look)
        revisions.apply(owner_url, revision)
    return found


def _compared(before: list[tuple], after: list[tuple]) -> tuple[set[str], set[str]]:
    names = {table for table, *_ in before}, {table for table, *_ in after}
    types = {f"{table}.{column}": kind for table, column, kind, _ in after}
    lost = {f"{table}.{column}" for table, column, kind, _ in before if types.get(f"{table}.{column}") != kind}
    known = {f"{table}.{column}" for table, column, *_ in before}
    required = {f"{table}.{column}" for table, column, _, needed in after if table in names[0] and needed}
    gone = names[0] - names[1]
    return gone | {each for each in lost if each.partition(".")[0] not in gone}, required - known


@contextmanager
def _noted(statements: list[str]) -> Iterator[None]:
    """Note what is executed in an autocommit_block()."""

    def note(connection: Any, cursor: Any, statement: str, *_: Any) -> None:
        if connection.connection.dbapi_connection.autocommit:
            statements.append(statement)

    event.listen(Engine, "before_cursor_execute", note)
    yield
    event.remove(Engine, "before_cursor_execute", note)


def faults(said: Revision, did: Measured) -> list[str]:
    """What the revision does and its file does not say, or what it may not do (CONTRIBUTING.md, Migrations)."""
    found = [] if said.oldest_software else ["write oldest_software = …"]
    # PostgreSQL may have forgotten what was committed at once.
    forgotten = set(said.works_on) if did.committed_at_once else set()
    if said.locks != did.locks:
        found.append(f"write locks = {did.locks}")
    for name, is_said, was in (("works_on", said.works_on, did.works_on | forgotten), ("drops", said.drops, did.drops)):
        if set(is_said) != was:
            found.append(f"write {name} = {tuple(sorted(was))}")
    if said.needs_stop:
        return found
    if did.locks and did.works_on:
        found.append("it reads or writes rows while it keeps others from their tables: make two revisions of it")
    if did.required:
        found.append(f"what runs now does not fill {sorted(did.required)}: let them be null, or have a default")
    at_once = [each for each in did.committed_at_once if not OUTSIDE_A_TRANSACTION.match(each)]
    return found + [f"not outside of a transaction: {each.strip()}" for each in at_once]

"""What `migrate` will do: step by step, on how much, with which locks, and for about how long."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from urllib.parse import unquote, urlsplit

import psycopg

from app.language.analyzer import Analyzer
from app.settings import Settings
from app.storage.backup.access import closed_to_backups
from app.storage.postings import TABLES
from app.storage.revisions import Revision, current_revision, pending
from app.storage.schema import is_newer, newest_schema, stored_schema

# At these rates a slow machine reads, writes and indexes rows, and analyses texts.
BYTES_PER_S = 20e6
CHUNKS_PER_S = {"bigrams": 300, "kiwi": 100}
STEP_S = 0.2
# As many rows as PostgreSQL knows of without counting them.
SIZES = """
select c.relname, sum(greatest(p.reltuples, s.n_live_tup, 0))::bigint, sum(pg_total_relation_size(p.oid))::bigint
from pg_class c
cross join lateral (select c.oid union all select inhrelid from pg_inherits where inhparent = c.oid) parts (oid)
join pg_class p on p.oid = parts.oid
left join pg_stat_all_tables s on s.relid = p.oid
where c.relnamespace = 'public'::regnamespace and c.relname = any(%s)
group by 1
"""
CONNECTIONS = "select count(*) from pg_stat_activity where datname = current_database() and usename = %s"
BACKUPS = "Let backups read tables that they could not read yet; each table is locked for a moment."
TEXTS = (
    "Analyse all stored texts again for the search by words. Until it has ended, that search finds less, documents "
    "wait, and no service starts."
)


@dataclass(frozen=True, slots=True)
class Step:
    """A revision, or what follows the revisions. `needs_stop`, `locks` and `drops` are as in Revision."""

    name: str
    says: str
    needs_stop: bool = False
    locks: dict[str, str] = field(default_factory=dict)
    drops: Sequence[str] = ()
    rows: int = 0
    bytes: int = 0
    seconds: float = STEP_S


@dataclass(frozen=True, slots=True)
class Plan:
    """`stored` is None for an empty database.

    `oldest_software` may run afterwards, and meanwhile unless `needs_stop`. With `no_way_back` software that may run
    now cannot run afterwards. `connections` are those that API and workers have at the moment.
    """

    stored: str | None
    newest: str
    steps: list[Step]
    seconds: float
    needs_stop: bool
    oldest_software: str | None
    no_way_back: bool
    connections: int


def make_plan(owner: psycopg.Connection, settings: Settings) -> Plan:
    """Read what there is, and change nothing. Raises NotConfigured for a schema that this version does not know."""
    stored, schema = current_revision(owner), stored_schema(owner)
    # A newer schema is left as it is.
    newer = is_newer(schema)
    revisions = [] if newer else pending(stored)
    steps = [*_revisions(owner, revisions), *(_after(owner, settings) if stored and not newer else ())]
    before = schema.oldest_software if schema else None
    after = next((each.oldest_software for each in reversed(revisions) if each.oldest_software), before)
    return Plan(
        stored=stored,
        newest=newest_schema(),
        steps=steps,
        seconds=round(sum(step.seconds for step in steps), 1),
        needs_stop=stored is not None and any(step.needs_stop for step in steps),
        oldest_software=after,
        no_way_back=stored is not None and after != before,
        connections=_connections(owner, settings),
    )


def _revisions(owner: psycopg.Connection, revisions: Sequence[Revision]) -> Iterator[Step]:
    sizes = _sizes(owner, [table for each in revisions for table in each.works_on])
    for each in revisions:
        found = [sizes[table] for table in each.works_on if table in sizes]
        rows, size = sum(rows for rows, _ in found), sum(size for _, size in found)
        seconds = round(STEP_S + size / BYTES_PER_S, 1)
        yield Step(each.number, each.says, each.needs_stop, each.locks, each.drops, rows, size, seconds)


def _after(owner: psycopg.Connection, settings: Settings) -> Iterator[Step]:
    closed = closed_to_backups(owner)
    if closed:
        yield Step("backups", BACKUPS, locks=dict.fromkeys(closed, "AccessExclusiveLock"))
    analyzer = Analyzer(settings.lexical)
    rows, size = _sizes(owner, ["chunks"]).get("chunks", (0, 0))
    if rows and owner.execute("select name from lexical_scheme").fetchone() != (analyzer.name,):
        seconds = round(rows / CHUNKS_PER_S[analyzer.scheme], 1)
        locks = dict.fromkeys(TABLES, "AccessExclusiveLock")
        yield Step("texts", TEXTS, locks=locks, rows=rows, bytes=size, seconds=seconds)


def _sizes(owner: psycopg.Connection, tables: Sequence[str]) -> dict[str, tuple[int, int]]:
    """Return rows and bytes of the tables that are there, indexes and partitions included."""
    return {name: (rows, size) for name, rows, size in owner.execute(SIZES, [[*tables]])}


def _connections(owner: psycopg.Connection, settings: Settings) -> int:
    row = owner.execute(CONNECTIONS, [unquote(urlsplit(settings.service_url).username or "")]).fetchone()
    assert row is not None
    return int(row[0])

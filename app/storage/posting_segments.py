"""Read the postings of terms: those in segments, and the rows that no segment has yet."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, field
from threading import Lock

import numpy as np
from psycopg.rows import DictRow

from app.storage.database import Connection, fetch_all, fetch_one
from app.storage.posting_blocks import Integers, Postings, find, places_in
from app.storage.tenancy import TenantNumber

# Eight bytes for each chunk.
REMEMBERED_BYTES = 128 << 20
NONE: Integers = np.empty(0, np.int64)

# The tenant is written out beside row-level security: the planner cannot see it in the policy. In one statement, and so
# one round trip: the tenant with the chunks that are gone; of each segment and term the block that may have its list,
# which is the last one that begins at the term or before; of each term what stands in rows.
READ = """
    select chunk_count as chunks, null::bigint as segment, null::text as term, null::bytea as block,
        (select string_agg(int8send(chunk_id), '' order by chunk_id) from posting_deletions
            where tenant_id = %(tenant)s) as ids, null::bytea as impacts
    from tenants where id = %(tenant)s
    union all
    select null, s.id, asked.term, b.postings, null, null
    from posting_segments s cross join unnest(%(terms)s::text[]) as asked (term) left join lateral (
        select postings from posting_blocks
        where tenant_id = %(tenant)s and segment = s.id and first_term <= asked.term
        order by first_term desc limit 1
    ) b on true
    where s.tenant_id = %(tenant)s
    union all
    select null, null, p.term, null, string_agg(int8send(p.chunk_id), ''), string_agg(int2send(p.impact), '')
    from postings p
    where p.tenant_id = %(tenant)s and p.term = any(%(terms)s) and not exists (
        select from posting_deletions d where d.tenant_id = %(tenant)s and d.chunk_id = p.chunk_id
    )
    group by p.term
"""
IDS = "select id, ids from posting_segments where tenant_id = %(tenant)s and id = any(%(segments)s)"
RAREST = """
    select term from (
        select asked.term, coalesce(l.chunks, 0) + (
            select count(*) from postings p where p.tenant_id = %(tenant)s and p.term = asked.term
        ) as chunks
        from unnest(%(terms)s::text[]) as asked (term)
        left join lexicon l on l.tenant_id = %(tenant)s and l.term = asked.term
    ) held
    order by chunks = 0, chunks, term limit %(most)s
"""
HOLDS = """
    select exists (
        select from postings p where p.tenant_id = %(tenant)s and p.term = %(term)s and not exists (
            select from posting_deletions d where d.tenant_id = %(tenant)s and d.chunk_id = p.chunk_id
        )
    ) or coalesce((select chunks from lexicon where tenant_id = %(tenant)s and term = %(term)s), 0)
        > (select count(*) from posting_deletions where tenant_id = %(tenant)s) as certainly
"""


@dataclass(frozen=True, slots=True)
class Segment:
    """`ids` are its chunks', ascending; `deleted` are the places of those that are gone. What has been asked for stands
    in `lists`, by the term."""

    ids: Integers
    deleted: Integers
    lists: dict[str, Postings] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Asked:
    """What is stored of some terms, as it was read, and how many chunks the tenant has."""

    terms: Sequence[str]
    chunks: int
    deleted: bytes
    ids: dict[int, Integers]
    blocks: Sequence[DictRow]
    rows: Sequence[DictRow]

    def segments(self) -> list[Segment]:
        """Unpack it, which takes a while: what stands in rows is the last of the segments."""
        gone = numbers(self.deleted)
        segments = {number: Segment(its, places_in(its, gone)) for number, its in self.ids.items()}
        for row in self.blocks:
            if row["block"] and (found := find(row["block"], row["term"].encode())) is not None:
                segments[row["segment"]].lists[row["term"]] = found
        return [*segments.values(), _of_rows(self.rows)]


class RememberedIds:
    """The ids of segments' chunks, which never change. Thread-safe. A segment's number is drawn, so no other database
    has it."""

    def __init__(self, most_bytes: int) -> None:
        self._most_bytes = most_bytes
        self._ids: OrderedDict[int, Integers] = OrderedDict()
        self._bytes = 0
        self._lock = Lock()

    def get(self, segment: int) -> Integers | None:
        with self._lock:
            if segment in self._ids:
                self._ids.move_to_end(segment)
            return self._ids.get(segment)

    def put(self, segment: int, ids: Integers) -> None:
        with self._lock:
            if segment not in self._ids:
                self._ids[segment] = ids
                self._bytes += ids.nbytes
            while self._bytes > self._most_bytes:
                self._bytes -= self._ids.popitem(last=False)[1].nbytes


REMEMBERED = RememberedIds(REMEMBERED_BYTES)


async def read(connection: Connection, tenant: TenantNumber, terms: Sequence[str]) -> Asked:
    """Read in one snapshot, which the caller has opened."""
    cursor = connection.cursor(binary=True)
    await cursor.execute(READ, {"tenant": tenant, "terms": list(terms)})
    chunks, deleted, blocks, rows = 0, b"", [], []
    for row in await cursor.fetchall():
        if row["segment"] is not None:
            blocks.append(row)
        elif row["term"] is not None:
            rows.append(row)
        else:
            chunks, deleted = row["chunks"], row["ids"] or b""
    ids = await ids_of(connection, tenant, sorted({row["segment"] for row in blocks}))
    return Asked(terms, chunks, deleted, ids, blocks, rows)


async def ids_of(connection: Connection, tenant: TenantNumber, segments: Sequence[int]) -> dict[int, Integers]:
    """Return the ids of these segments' chunks. The caller has seen in this snapshot that the segments are there."""
    found = {segment: ids for segment in segments if (ids := REMEMBERED.get(segment)) is not None}
    if missing := [segment for segment in segments if segment not in found]:
        cursor = connection.cursor(binary=True)
        for row in await (await cursor.execute(IDS, {"tenant": tenant, "segments": missing})).fetchall():
            found[row["id"]] = numbers(row["ids"])
            REMEMBERED.put(row["id"], found[row["id"]])
    return found


async def rarest(connection: Connection, tenant: TenantNumber, terms: Sequence[str], most: int) -> list[str]:
    """Return the terms that the fewest chunks hold; those that none holds come last."""
    rows = await fetch_all(connection, RAREST, {"tenant": tenant, "terms": list(terms), "most": most})
    return [row["term"] for row in rows]


async def holds(connection: Connection, tenant: TenantNumber, term: str) -> bool:
    """Tell whether a chunk of the tenant holds the term."""
    row = await fetch_one(connection, HOLDS, {"tenant": tenant, "term": term})
    if row is not None and row["certainly"]:
        return True
    asked = await read(connection, tenant, [term])
    return await asyncio.to_thread(lambda: any(alive(segment, term) for segment in asked.segments()))


def alive(segment: Segment, term: str) -> int:
    """Return how many chunks of the segment that are not gone hold the term."""
    if (found := segment.lists.get(term)) is None:
        return 0
    gone = len(places_in(found.places, segment.deleted)) if len(segment.deleted) else 0
    return len(found.places) - gone


def within(segment: Segment, chunks: Integers) -> Segment:
    """Return the segment without all but these chunks, whose ids ascend, and without those that are gone."""
    kept = np.setdiff1d(places_in(segment.ids, chunks), segment.deleted, assume_unique=True)
    lists = {}
    for term, found in segment.lists.items():
        at = np.searchsorted(found.places, kept.astype(found.places.dtype))
        held = np.flatnonzero(at < len(found.places))
        held = held[found.places[at[held]] == kept[held]]
        if len(held):
            lists[term] = Postings(held, found.impacts[at[held]])
    return Segment(segment.ids[kept], NONE, lists)


def numbers(wire: bytes) -> Integers:
    """Read bigints that int8send() has written."""
    return np.frombuffer(wire, ">i8").astype(np.int64)


def _of_rows(rows: Sequence[DictRow]) -> Segment:
    """Return what stands in rows in the form of a segment."""
    held = {row["term"]: numbers(row["ids"]) for row in rows}
    ids = np.unique(np.concatenate([NONE, *held.values()]))
    lists = {}
    for row in rows:
        its = held[row["term"]]
        order = np.argsort(its)
        impacts = np.frombuffer(row["impacts"], ">i2").astype(np.int16)
        lists[row["term"]] = Postings(np.searchsorted(ids, its[order]), impacts[order])
    return Segment(ids, NONE, lists)

"""Merge postings: rows into segments, small segments into larger ones, and away with what chunks left that are gone.

A merge is one transaction, in which no writer of the tenant is kept waiting: publishing only adds rows, and a deletion
only notes which chunks are gone. A killed merge leaves nothing.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import accumulate

import numpy as np
from numpy.typing import NDArray

from app.storage import posting_tables
from app.storage.database import Connection, Database
from app.storage.posting_blocks import MAX_CHUNKS, Integers, Lists, Merged, merge, places_in, unpack
from app.storage.posting_tables import Stored
from app.storage.tenancy import TenantNumber

# Rows of fewer chunks stay rows; a merge takes so many at most.
FEWEST_CHUNKS = 512
CHUNKS_AT_ONCE = MAX_CHUNKS // 4
# Of segments with less than half the most, a tenant has no more than so many: the smallest are made one.
SMALL_SEGMENTS = 4
# A segment is written again once one chunk in so many is gone.
DELETED_ONE_IN = 64

Tell = Callable[[int], None]
"""Is told before each merge about how many chunks stand in rows."""


async def merge_due(database: Database, tenant: TenantNumber, tell: Tell = lambda _: None) -> bool:
    """Do every merge of the tenant that is due, unless another worker does; say whether one will be due by and by."""
    while True:
        async with database.transaction(tenant) as connection:
            await connection.execute("set transaction isolation level repeatable read")
            if not await posting_tables.lock(connection, tenant):
                return True
            stored = await posting_tables.stored(connection, tenant)
            tell(stored.in_rows)
            if not await _merge_one(connection, tenant, stored):
                return bool(len(stored.deleted))


def smallest(segments: dict[int, Integers]) -> list[int]:
    """Return the segments that are due to be made one."""
    small = sorted((len(ids), number) for number, ids in segments.items() if len(ids) < MAX_CHUNKS // 2)
    if len(small) <= SMALL_SEGMENTS:
        return []
    reached = accumulate(size for size, _ in small)
    return [number for (_, number), chunks in zip(small, reached, strict=True) if chunks <= MAX_CHUNKS]


def outworn(stored: Stored) -> list[int]:
    """Return a segment that is due to be written again, if there is one."""
    for number, ids in stored.segments.items():
        gone = len(places_in(ids, stored.deleted))
        if gone and (stored.overdue or gone * DELETED_ONE_IN >= len(ids)):
            return [number]
    return []


async def _merge_one(connection: Connection, tenant: TenantNumber, stored: Stored) -> bool:
    if stored.in_rows >= FEWEST_CHUNKS and await _merge_rows(connection, tenant, stored):
        return True
    if due := smallest(stored.segments) or outworn(stored):
        await _merge_segments(connection, tenant, stored, due)
        return True
    return stored.overdue and await _remove_rows(connection, tenant, stored)


@dataclass(frozen=True, slots=True)
class Chunks:
    """Those that a merge takes up, and those of them that are still there, which a segment is made of. Both ascend."""

    taken: Integers
    kept: Integers

    @property
    def gone(self) -> Integers:
        return np.setdiff1d(self.taken, self.kept, assume_unique=True)

    def moved(self, ids: Integers) -> NDArray[np.int32]:
        """Return to which place of the new segment each of these goes, -1 for none."""
        if not len(self.kept):
            return np.full(len(ids), -1, np.int32)
        at = np.searchsorted(self.kept, ids).astype(np.int32)
        at[at == len(self.kept)] = 0
        at[self.kept[at] != ids] = -1
        return at


def _chunks(taken: Integers, deleted: Integers) -> Chunks:
    return Chunks(taken, np.setdiff1d(taken, deleted, assume_unique=True))


async def _merge_rows(connection: Connection, tenant: TenantNumber, stored: Stored) -> bool:
    """Make a segment of the chunks with the lowest ids that stand in rows; False if there are too few."""
    taken = await posting_tables.first_in_rows(connection, tenant, CHUNKS_AT_ONCE)
    if len(taken) < FEWEST_CHUNKS:
        return False
    chunks = _chunks(taken, stored.deleted)
    terms, counts, ids, impacts = await posting_tables.rows_up_to(connection, tenant, int(taken[-1]))
    lists = Lists(terms, counts, np.searchsorted(taken, ids), impacts, chunks.moved(taken))
    merged = await asyncio.to_thread(merge, [lists])
    await posting_tables.write_segment(connection, tenant, chunks.kept, merged)
    await posting_tables.add_to_lexicon(connection, tenant, merged.terms, merged.counts)
    await posting_tables.delete_rows_up_to(connection, tenant, int(taken[-1]))
    await posting_tables.forget_deletions(connection, tenant, chunks.gone)
    return True


async def _merge_segments(connection: Connection, tenant: TenantNumber, stored: Stored, due: Sequence[int]) -> None:
    chunks = _chunks(np.sort(np.concatenate([stored.segments[number] for number in due])), stored.deleted)
    blocks = [await posting_tables.blocks(connection, tenant, number) for number in due]

    def together() -> Merged:
        return merge([unpack(its, chunks.moved(stored.segments[n])) for n, its in zip(due, blocks, strict=True)])

    merged = await asyncio.to_thread(together)
    await posting_tables.delete_segments(connection, tenant, due)
    await posting_tables.write_segment(connection, tenant, chunks.kept, merged)
    await posting_tables.take_off_lexicon(connection, tenant, merged.terms, merged.lost)
    await posting_tables.forget_deletions(connection, tenant, chunks.gone)


async def _remove_rows(connection: Connection, tenant: TenantNumber, stored: Stored) -> bool:
    """Remove what chunks have left that are in no segment; False if there are none."""
    gone = stored.deleted
    for ids in stored.segments.values():
        gone = np.setdiff1d(gone, ids, assume_unique=True)
    await posting_tables.delete_rows_of(connection, tenant, gone)
    await posting_tables.forget_deletions(connection, tenant, gone)
    return len(gone) > 0

"""The statements of merges (app/storage/posting_merges.py)."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from app.storage.database import Connection, fetch_one
from app.storage.posting_blocks import Integers, Merged, pack
from app.storage.posting_segments import ids_of, numbers
from app.storage.tenancy import TenantNumber

# What chunks have left that are gone is removed after so long at the latest.
DELETED_KEPT_S = 3600
BLOCKS_AT_ONCE = 500

STORED = """
    select t.chunk_count - coalesce((select sum(chunks) from posting_segments where tenant_id = t.id), 0)
            + (select count(*) from posting_deletions where tenant_id = t.id) as in_rows,
        array(select id from posting_segments where tenant_id = t.id order by id) as segments,
        (select string_agg(int8send(chunk_id), '' order by chunk_id) from posting_deletions
            where tenant_id = t.id) as deleted,
        exists (select from posting_deletions where tenant_id = t.id
            and deleted_at < now() - make_interval(secs => %(kept)s)) as overdue
    from tenants t where t.id = %(tenant)s
"""
FIRST_IN_ROWS = """
    select string_agg(int8send(chunk_id), '' order by chunk_id) as ids from (
        select distinct chunk_id from postings where tenant_id = %(tenant)s order by chunk_id limit %(most)s
    ) first
"""
UP_TO = "tenant_id = %(tenant)s and chunk_id <= %(last)s"
ROWS = f"""
    select term, count(*) as chunks, string_agg(int8send(chunk_id), '') as ids,
        string_agg(int2send(impact), '') as impacts
    from postings where {UP_TO} group by term
"""  # noqa: S608 - a constant
ADD_TO_LEXICON = """
    insert into lexicon as l (tenant_id, term, chunks)
    select %(tenant)s, * from unnest(%(terms)s::text[], %(counts)s::integer[])
    on conflict (tenant_id, term) do update set chunks = l.chunks + excluded.chunks
"""
TAKE_OFF_LEXICON = """
    update lexicon l set chunks = l.chunks - lost.chunks
    from unnest(%(terms)s::text[], %(counts)s::integer[]) as lost (term, chunks)
    where l.tenant_id = %(tenant)s and l.term = lost.term
"""
EMPTIED = "delete from lexicon where tenant_id = %(tenant)s and term = any(%(terms)s) and chunks = 0"
INSERT_SEGMENT = """
    insert into posting_segments (tenant_id, id, chunks, ids)
    values (%(tenant)s, %(segment)s, %(chunks)s, %(ids)s)
"""
INSERT_BLOCKS = """
    insert into posting_blocks (tenant_id, segment, first_term, postings)
    select %(tenant)s, %(segment)s, * from unnest(%(terms)s::text[], %(blocks)b::bytea[])
"""


@dataclass(frozen=True, slots=True)
class Stored:
    """About how many chunks stand in rows; segments with their chunks; chunks that are gone, and whether for long."""

    in_rows: int
    segments: dict[int, Integers]
    deleted: Integers
    overdue: bool


async def lock(connection: Connection, tenant: TenantNumber) -> bool:
    """Let no other transaction merge the tenant's postings; False if one does."""
    query = "select pg_try_advisory_xact_lock(3, hashint8(%(tenant)s)) as locked"
    row = await fetch_one(connection, query, {"tenant": tenant})
    return bool(row and row["locked"])


async def stored(connection: Connection, tenant: TenantNumber) -> Stored:
    cursor = connection.cursor(binary=True)
    row = await (await cursor.execute(STORED, {"tenant": tenant, "kept": DELETED_KEPT_S})).fetchone()
    if row is None:
        return Stored(0, {}, numbers(b""), overdue=False)
    segments = await ids_of(connection, tenant, row["segments"])
    return Stored(int(row["in_rows"]), segments, numbers(row["deleted"] or b""), row["overdue"])


async def first_in_rows(connection: Connection, tenant: TenantNumber, most: int) -> Integers:
    """Return the lowest ids of chunks that stand in rows."""
    cursor = connection.cursor(binary=True)
    row = await (await cursor.execute(FIRST_IN_ROWS, {"tenant": tenant, "most": most})).fetchone()
    return numbers((row and row["ids"]) or b"")


async def rows_up_to(
    connection: Connection, tenant: TenantNumber, last: int
) -> tuple[list[bytes], Integers, Integers, NDArray[np.int16]]:
    """Return the terms of these chunks, how many hold each, and one after the other their ids and impacts."""
    cursor = connection.cursor(binary=True)
    rows = await (await cursor.execute(ROWS, {"tenant": tenant, "last": last})).fetchall()
    return (
        [row["term"].encode() for row in rows],
        np.array([row["chunks"] for row in rows], np.int64),
        numbers(b"".join(row["ids"] for row in rows)),
        np.frombuffer(b"".join(row["impacts"] for row in rows), ">i2").astype(np.int16),
    )


async def delete_rows_up_to(connection: Connection, tenant: TenantNumber, last: int) -> None:
    await connection.execute(f"delete from postings where {UP_TO}", {"tenant": tenant, "last": last})  # noqa: S608


async def delete_rows_of(connection: Connection, tenant: TenantNumber, chunks: Integers) -> None:
    query = b"delete from postings where tenant_id = %(tenant)s and chunk_id = any(%(chunks)s)"
    await connection.execute(query, {"tenant": tenant, "chunks": chunks.tolist()})


async def forget_deletions(connection: Connection, tenant: TenantNumber, chunks: Integers) -> None:
    query = b"delete from posting_deletions where tenant_id = %(tenant)s and chunk_id = any(%(chunks)s)"
    await connection.execute(query, {"tenant": tenant, "chunks": chunks.tolist()})


async def blocks(connection: Connection, tenant: TenantNumber, segment: int) -> list[bytes]:
    """Return a segment's blocks in order."""
    query = (
        "select postings from posting_blocks where tenant_id = %(tenant)s and segment = %(segment)s order by first_term"
    )
    cursor = connection.cursor(binary=True)
    rows = await (await cursor.execute(query, {"tenant": tenant, "segment": segment})).fetchall()
    return [row["postings"] for row in rows]


async def delete_segments(connection: Connection, tenant: TenantNumber, segments: Sequence[int]) -> None:
    query = b"delete from posting_segments where tenant_id = %(tenant)s and id = any(%(segments)s)"
    await connection.execute(query, {"tenant": tenant, "segments": list(segments)})


async def write_segment(connection: Connection, tenant: TenantNumber, ids: Integers, merged: Merged) -> None:
    """Write a segment of these chunks, of none if there are none."""
    if not len(ids):
        return
    key = {"tenant": tenant, "segment": secrets.randbits(63), "chunks": len(ids), "ids": ids.astype(">i8").tobytes()}
    await connection.execute(INSERT_SEGMENT, key)
    packed = await asyncio.to_thread(list, pack(merged))
    for first in range(0, len(packed), BLOCKS_AT_ONCE):
        terms, data = zip(*packed[first : first + BLOCKS_AT_ONCE], strict=True)
        rows = {"terms": [term.decode() for term in terms], "blocks": list(data)}
        await connection.execute(INSERT_BLOCKS, {"tenant": tenant, "segment": key["segment"], **rows})


async def add_to_lexicon(
    connection: Connection, tenant: TenantNumber, terms: Sequence[bytes], counts: Integers
) -> None:
    await connection.execute(ADD_TO_LEXICON, _counted(tenant, terms, counts))


async def take_off_lexicon(
    connection: Connection, tenant: TenantNumber, terms: Sequence[bytes], counts: Integers
) -> None:
    counted = _counted(tenant, terms, counts)
    await connection.execute(TAKE_OFF_LEXICON, counted)
    await connection.execute(EMPTIED, counted)


def _counted(tenant: TenantNumber, terms: Sequence[bytes], counts: Integers) -> dict[str, object]:
    some = np.flatnonzero(counts)
    return {"tenant": tenant, "terms": [terms[n].decode() for n in some.tolist()], "counts": counts[some].tolist()}

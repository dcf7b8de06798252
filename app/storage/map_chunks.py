"""The chunks of a map, and their vectors: the same ones of the same chunks, within what a worker holds in memory."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from app.storage import spaces
from app.storage.database import Connection, connection_of, fetch_all, fetch_one
from app.storage.snapshot import Snapshot
from app.storage.tenancy import TenantNumber

MAX_POINTS = 50_000
SAMPLE_CHUNKS, SAMPLE_BYTES = 20_000, 64 << 20
SHARES = 1024
OF_SHARE = f"hashint8(v.chunk_id) & {SHARES - 1} < %(share)s"


def share(most: int, chunks: int) -> int:
    """Return of how many of SHARES at most so many chunks come."""
    return SHARES if chunks <= most else max(1, SHARES * most // chunks)


async def sample_size(connection: Connection, space: int) -> int:
    """Return of how many chunks the vectors are held at a time."""
    row = await fetch_one(connection, "select dimension from embedding_spaces where number = %(n)s", {"n": space})
    return min(SAMPLE_CHUNKS, SAMPLE_BYTES // (4 * max(1, row["dimension"] if row else 1)))


async def list_chunks(
    snapshot: Snapshot, tenant: TenantNumber, space: int, *, chunks: int, most: int = MAX_POINTS
) -> NDArray[np.int64]:
    """Return the numbers of at most so many of the tenant's `chunks`."""
    rows = await fetch_all(
        connection_of(snapshot),
        f"""
        select v.chunk_id from {spaces.table(space)} v where v.tenant_id = %(tenant)s and {OF_SHARE}
        order by v.chunk_id limit %(most)s
        """,  # noqa: S608 - ours
        {"tenant": tenant, "most": most, "share": share(most, chunks)},
    )
    return np.array([row["chunk_id"] for row in rows], np.int64)


async def vectors_of(
    snapshot: Snapshot, tenant: TenantNumber, space: int, chunks: Sequence[int]
) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """Return those of the chunks that are there, and their vectors."""
    query = f"""
        select string_agg(int8send(v.chunk_id), '' order by v.chunk_id) as numbers,
               string_agg(halfvec_send(v.embedding), '' order by v.chunk_id) as embeddings, count(*) as found
        from {spaces.table(space)} v where v.tenant_id = %(tenant)s and v.chunk_id = any(%(chunks)s)
    """  # noqa: S608 - ours
    cursor = connection_of(snapshot).cursor(binary=True)
    await cursor.execute(query.encode(), {"tenant": tenant, "chunks": list(chunks)})
    row = await cursor.fetchone()
    if row is None or not row["found"]:
        return np.empty(0, np.int64), np.empty((0, 0), np.float32)
    # pgvector's wire form: dimension and a reserved field of two bytes each, then big-endian halves.
    wire = np.frombuffer(row["embeddings"], ">f2").reshape(row["found"], -1)
    return np.frombuffer(row["numbers"], ">i8").astype(np.int64), wire[:, 2:].astype(np.float32)

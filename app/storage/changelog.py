"""Log the changes of a tenant's chunks, so that an index in memory can catch up."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from app.storage import spaces
from app.storage.database import Connection, fetch_all, fetch_one
from app.storage.tenancy import TenantNumber

KEPT_CHANGES = 1000
BATCH_CHUNKS = 20_000


@dataclass(frozen=True, slots=True)
class CorpusState:
    """The version of a tenant's chunks that a transaction sees, and their number."""

    version: int
    chunks: int


@dataclass(frozen=True, slots=True)
class VectorBatch:
    """Vectors in half precision, as they are stored, with their chunk ids row for row."""

    chunks: NDArray[np.int64]
    values: NDArray[np.float16]


@dataclass(frozen=True, slots=True)
class Changes:
    """From one version to the next: chunks that are gone, documents whose chunks are new."""

    removed: Sequence[int]
    documents: Sequence[str]


async def record(
    connection: Connection, tenant: TenantNumber, document_id: str, *, removed: Sequence[int], chunks: int
) -> None:
    """Record a change of `chunks` more or fewer. Locks the tenant's row, so that versions are committed in order."""
    key = {"tenant": tenant, "document": document_id, "removed": list(removed), "chunks": chunks, "kept": KEPT_CHANGES}
    row = await fetch_one(connection, "select version from tenants where id = %(tenant)s for no key update", key)
    assert row is not None
    key["previous"] = row["version"]
    await connection.execute(
        """
        with changed as (
            update tenants set chunk_count = chunk_count + %(chunks)s,
                version = greatest(version + 1, (extract(epoch from clock_timestamp()) * 1000000)::bigint)
            where id = %(tenant)s returning version
        )
        insert into changes (tenant_id, version, previous, document_id, removed)
        select %(tenant)s, version, %(previous)s, %(document)s, %(removed)s::bigint[] from changed
        """,
        key,
    )
    await connection.execute(
        """
        delete from changes where tenant_id = %(tenant)s and version < (
            select version from changes where tenant_id = %(tenant)s order by version desc offset %(kept)s limit 1
        ) and version <= coalesce((select min(removed) from index_positions where tenant_id = %(tenant)s), version)
        """,
        key,
    )


async def corpus_state(connection: Connection, tenant: TenantNumber) -> CorpusState:
    row = await fetch_one(
        connection, "select version, chunk_count from tenants where id = %(tenant)s", {"tenant": tenant}
    )
    return CorpusState(row["version"], row["chunk_count"]) if row else CorpusState(0, 0)


async def since(connection: Connection, tenant: TenantNumber, version: int) -> Changes | None:
    """Return the changes since `version`; None if it is not in the log: pruned, or of another history."""
    rows = await fetch_all(
        connection,
        """
        select previous, document_id, removed from changes
        where tenant_id = %(tenant)s and version > %(version)s order by version
        """,
        {"tenant": tenant, "version": version},
    )
    if not rows or rows[0]["previous"] != version:
        return None
    removed = [chunk for row in rows for chunk in row["removed"]]
    return Changes(removed, sorted({row["document_id"] for row in rows}))


async def vectors(
    connection: Connection, tenant: TenantNumber, space: int, documents: Sequence[str] | None = None
) -> AsyncIterator[VectorBatch]:
    """Yield the vectors of these documents, or of all, in batches."""
    key = {"tenant": tenant, "documents": documents, "after": -1, "batch": BATCH_CHUNKS}
    listed = "true" if documents is None else "document_id = any(%(documents)s)"
    query = f"""
        select max(chunk_id) as last, string_agg(int8send(chunk_id), '' order by chunk_id) as ids,
               string_agg(halfvec_send(embedding), '' order by chunk_id) as embeddings
        from (
            select chunk_id, embedding from {spaces.table(space)}
            where tenant_id = %(tenant)s and chunk_id > %(after)s and {listed} order by chunk_id limit %(batch)s
        ) batch
    """  # noqa: S608 - a number of ours, and one of two constants
    while True:
        cursor = await connection.cursor(binary=True).execute(query.encode(), key)
        row = await cursor.fetchone()
        if row is None or row["last"] is None:
            return
        chunks = np.frombuffer(row["ids"], ">i8").astype(np.int64)
        # pgvector's wire form: dimension and a reserved field of two bytes each, then big-endian halves.
        wire = np.frombuffer(row["embeddings"], ">f2").reshape(len(chunks), -1)
        yield VectorBatch(chunks, wire[:, 2:].astype(np.float16))
        key["after"] = row["last"]

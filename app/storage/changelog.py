"""The log of what a tenant's chunks went through, from which an index in memory catches up."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from app.storage import spaces
from app.storage.database import Connection, fetch_all, fetch_one
from app.tenancy import TenantNumber

KEPT_CHANGES = 1000
BATCH_CHUNKS = 20_000


@dataclass(frozen=True, slots=True)
class State:
    """Which version of a tenant's chunks a transaction sees, and how many."""

    version: int
    chunks: int


@dataclass(frozen=True, slots=True)
class Vectors:
    """In half precision, as they are stored; row for row."""

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
    """`chunks` is how many more there are now. Holds the tenant's row, so that versions are committed in order."""
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
        )
        """,
        key,
    )


async def state(connection: Connection, tenant: TenantNumber) -> State:
    row = await fetch_one(
        connection, "select version, chunk_count from tenants where id = %(tenant)s", {"tenant": tenant}
    )
    return State(row["version"], row["chunk_count"]) if row else State(0, 0)


async def since(connection: Connection, tenant: TenantNumber, version: int) -> Changes | None:
    """None if that version is not in the log: pruned, or of another history."""
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
) -> AsyncIterator[Vectors]:
    """Of these documents or of all, batch by batch."""
    key = {"tenant": tenant, "documents": documents, "after": -1, "batch": BATCH_CHUNKS}
    among = "true" if documents is None else "document_id = any(%(documents)s)"
    query = f"""
        select max(chunk_id) as last, string_agg(int8send(chunk_id), '' order by chunk_id) as ids,
               string_agg(halfvec_send(embedding), '' order by chunk_id) as embeddings
        from (
            select chunk_id, embedding from {spaces.table(space)}
            where tenant_id = %(tenant)s and chunk_id > %(after)s and {among} order by chunk_id limit %(batch)s
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
        yield Vectors(chunks, wire[:, 2:].astype(np.float16))
        key["after"] = row["last"]

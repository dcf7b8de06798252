"""Documents with made-up vectors, written the way ingest publishes them."""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pgvector import HalfVector
from psycopg.types.json import Jsonb

from app.retrieval.match import Hit
from app.retrieval.stores import VectorStore
from app.storage import changelog, spaces
from app.storage.database import Database, fetch_all
from app.storage.filters import Filter
from app.storage.tenants import create_tenant, tenant_by_slug

DIMENSION = 384
SPACE = 1  # of the model that a new database is set up for
Array = NDArray[np.float32]


@dataclass
class Document:
    id: str
    vectors: Array
    metadata: dict[str, Any] = field(default_factory=dict)
    source: str | None = None
    created_at: datetime = datetime(2026, 1, 1, tzinfo=UTC)


def unit(generator: np.random.Generator, count: int, near: Array | None = None, spread: float = 1.0) -> Array:
    vectors = generator.standard_normal((count, DIMENSION)).astype(np.float32) * spread
    if near is not None:
        vectors += near
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    # As they are stored, in half precision.
    return vectors.astype(np.float16).astype(np.float32)


def clustered(generator: np.random.Generator, count: int, clusters: int = 40) -> Array:
    centres = unit(generator, clusters)
    return unit(generator, count, centres[generator.integers(clusters, size=count)], 0.04)


async def new_tenant(database: Database) -> int:
    name = f"t-{secrets.token_hex(4)}"
    await create_tenant(database, name, name)
    return (await tenant_by_slug(database, name)).number


async def put(database: Database, tenant: int, *documents: Document) -> dict[str, list[int]]:
    """Each replaces what had its id, in a transaction of its own. Returns the chunks of each."""
    put: dict[str, list[int]] = {}
    for document in documents:
        chunks = [secrets.randbits(63) for _ in document.vectors]
        key = {
            "tenant": tenant, "id": document.id, "source": document.source, "chunks": len(chunks),
            "metadata": Jsonb(document.metadata), "created_at": document.created_at,
        }  # fmt: skip
        async with database.transaction(tenant) as connection:
            removed = await fetch_all(
                connection, "delete from chunks where tenant_id = %(tenant)s and document_id = %(id)s returning id", key
            )
            await connection.execute(
                """
                insert into documents
                    (tenant_id, id, source, media_type, bytes, sha256, metadata, chunks, blob, created_at)
                values (%(tenant)s, %(id)s, %(source)s, 'text/plain', 0, '', %(metadata)s, %(chunks)s, '',
                        %(created_at)s)
                on conflict (tenant_id, id) do update set source = excluded.source, metadata = excluded.metadata,
                    chunks = excluded.chunks
                """,
                key,
            )
            async with connection.cursor() as cursor:
                await cursor.executemany(
                    """
                    insert into chunks (tenant_id, id, document_id, ord, start, stop, tokens, content)
                    values (%s, %s, %s, %s, 0, 0, 0, '')
                    """,
                    [(tenant, chunk, document.id, n) for n, chunk in enumerate(chunks)],
                )
                await cursor.executemany(
                    f"insert into {spaces.table(SPACE)} (tenant_id, chunk_id, document_id, embedding) "
                    "values (%s, %s, %s, %s)",
                    [
                        (tenant, chunk, document.id, HalfVector(vector))
                        for chunk, vector in zip(chunks, document.vectors, strict=True)
                    ],
                )
            old = [row["id"] for row in removed]
            await changelog.record(connection, tenant, document.id, removed=old, chunks=len(chunks) - len(old))
        put[document.id] = chunks
    return put


async def search(
    database: Database, store: VectorStore, tenant: int, vector: Array, top_k: int, where: Filter | None = None
) -> list[Hit]:
    async with database.snapshot(tenant) as connection:
        return await store.search(connection, tenant, vector, top_k, where)


def nearest(vectors: Array, query: Array, top_k: int) -> set[int]:
    """Rows of the exact neighbours."""
    return set(np.argsort(-(vectors @ query))[:top_k].tolist())

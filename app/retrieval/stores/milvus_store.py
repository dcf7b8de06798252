"""Find the nearest vectors in Milvus; always min(top_k, matching) hits, each as the database has it.

The index gives candidates. Which of them there are, for this tenant, key and filter, says the snapshot, and so do the
documents that changed since the index was confirmed: they are searched here. Where too few candidates are left, the
database searches alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pgvector import HalfVector

from app.retrieval.match import Hit
from app.retrieval.stores.milvus_collection import MOST, MilvusCollection
from app.retrieval.stores.pgvector import DISTANCE, PgvectorStore
from app.storage import index_positions, spaces
from app.storage.database import Connection, Database, fetch_all, seeing_all
from app.storage.filter_sql import Condition
from app.storage.filters import Filter
from app.storage.snapshot import Snapshot
from app.storage.tenancy import TenantNumber

WIDER = 4


class MilvusStore:
    def __init__(self, collection: MilvusCollection, space: int, database: Database) -> None:
        self.collection = collection
        self.space = space
        self._table = spaces.table(space)
        self._database = database
        self._alone = PgvectorStore(space)

    async def search(
        self,
        snapshot: Snapshot,
        tenant: TenantNumber,
        vector: NDArray[np.float32],
        top_k: int,
        where: Filter | None = None,
    ) -> list[Hit]:
        """Raises IndexUnavailable."""
        begun = await self._alone.begin(snapshot, tenant, vector, top_k, where)
        if begun.hits is not None:
            return begun.hits
        connection = begun.connection
        name = await index_positions.collection_of(connection, self.space)
        reached = await index_positions.position(connection, tenant, name) if name else None
        async with seeing_all(connection):
            tail = await index_positions.changed_since(connection, tenant, reached) if reached else None
        if name is not None and tail is not None:
            wanted = min(top_k, begun.stored.chunks)
            hits = await self._nearest(connection, name, tenant, vector, wanted, begun.condition, tail)
            if hits is not None:
                return hits
        return await self._alone.go_on(begun, tenant, vector, top_k)

    async def forget(self, tenant: TenantNumber) -> None:
        """Remove the tenant's vectors. Raises IndexUnavailable."""
        await self._alone.forget(tenant)
        async with self._database.shared() as connection:
            name = await index_positions.collection_of(connection, self.space)
        if name is not None and await self.collection.exists(name):
            await self.collection.remove_tenant(name, tenant)

    async def close(self) -> None:
        await self.collection.close()

    async def _nearest(
        self,
        connection: Connection,
        name: str,
        tenant: TenantNumber,
        vector: NDArray[np.float32],
        top_k: int,
        where: Condition | None,
        tail: Sequence[str],
    ) -> list[Hit] | None:
        """Return None if even the most candidates are too few."""
        key: dict[str, Any] = {"tenant": tenant, "vector": HalfVector(vector), "k": top_k, "tail": list(tail)}
        fetched = min(MOST, top_k * (WIDER if where else 1))
        changed = await self._ranked(connection, key, "v.document_id = any(%(tail)s)", where) if tail else []
        while True:
            chunks = await self.collection.nearest(name, tenant, vector, fetched)
            key["chunks"] = chunks
            matching = "v.chunk_id = any(%(chunks)s::bigint[]) and v.document_id <> all(%(tail)s::text[])"
            hits = await self._ranked(connection, key, matching, where)
            if len(hits) + (len(changed) if len(chunks) < fetched else 0) >= top_k:
                return sorted([*hits, *changed], key=lambda hit: (-hit.score, hit.chunk))[:top_k]
            if fetched == MOST or len(chunks) < fetched:
                return None
            fetched = min(MOST, fetched * WIDER)

    async def _ranked(
        self, connection: Connection, key: dict[str, Any], matching: str, where: Condition | None
    ) -> list[Hit]:
        """Return the best of the tenant's chunks that match, by their exact cosine."""
        if where is not None:
            matching += (
                f" and (select {where.sql} from documents d where d.tenant_id = %(tenant)s and d.id = v.document_id)"  # noqa: S608
            )
            key = key | where.parameters
        # The sum keeps the planner off the HNSW index.
        rows = await fetch_all(
            connection,
            f"""
            select v.chunk_id, 1 - ({DISTANCE}) as score from {self._table} v
            where v.tenant_id = %(tenant)s and {matching} order by ({DISTANCE}) + 0.0, v.chunk_id limit %(k)s
            """,  # noqa: S608 - the table's number is ours, and a condition holds its values as parameters
            key,
        )
        return [Hit(row["chunk_id"], float(row["score"])) for row in rows]

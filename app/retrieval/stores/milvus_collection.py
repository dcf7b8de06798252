"""One collection of a Milvus server: vectors by chunk id, its tenants apart by a partition key.

https://milvus.io/docs/use-partition-key.md, https://milvus.io/docs/consistency.md
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import numpy as np
from numpy.typing import NDArray

from app.errors import IndexUnavailable, MissingExtra
from app.settings import Settings
from app.storage.changelog import VectorBatch
from app.storage.tenancy import TenantNumber

# Milvus answers no search for more.
MOST = 16_384
HNSW = {"M": 24, "efConstruction": 128}
EF = 100
WRITTEN_AT_ONCE, REMOVED_AT_ONCE = 2_000, 1_000
TIMEOUT_S = 10.0


def open_collection(settings: Settings, dimension: int) -> MilvusCollection:
    """Raises MissingExtra. Does not wait for the server."""
    assert settings.milvus_url is not None
    token = settings.milvus_token.get_secret_value() if settings.milvus_token else None
    return MilvusCollection(settings.milvus_url, token, dimension=dimension)


class MilvusCollection:
    def __init__(self, url: str, token: str | None, *, dimension: int) -> None:
        """Raises MissingExtra."""
        try:
            from grpc import RpcError
            from pymilvus import AsyncMilvusClient, MilvusException
        except ModuleNotFoundError:
            raise MissingExtra("KYUJANG_INDEX=milvus", "milvus") from None
        self._client = AsyncMilvusClient(uri=url, token=token or "", timeout=TIMEOUT_S)
        self._dimension = dimension
        self._errors = (MilvusException, RpcError, OSError, TimeoutError)

    async def close(self) -> None:
        await self._client.close()

    async def exists(self, name: str) -> bool:
        """Raises IndexUnavailable, as everything here does."""
        async with self._typed():
            return bool(await self._client.has_collection(name))

    async def create(self, name: str) -> None:
        from pymilvus import DataType

        schema = self._client.create_schema(auto_id=False, enable_dynamic_field=False)
        schema.add_field("id", DataType.INT64, is_primary=True)
        schema.add_field("tenant", DataType.INT64, is_partition_key=True)
        schema.add_field("vector", DataType.FLOAT_VECTOR, dim=self._dimension)
        index = self._client.prepare_index_params()
        index.add_index("vector", index_type="HNSW", metric_type="IP", params=HNSW)
        async with self._typed():
            await self._client.create_collection(name, schema=schema, index_params=index, consistency_level="Bounded")

    async def load(self, name: str) -> None:
        """Load what may have been created by a process that was killed before it was searchable."""
        async with self._typed():
            await self._client.load_collection(name)

    async def drop(self, name: str) -> None:
        async with self._typed():
            await self._client.drop_collection(name)

    async def nearest(self, name: str, tenant: TenantNumber, vector: NDArray[np.float32], top_k: int) -> list[int]:
        """Return chunks, best first: at most top_k, MOST at most; some may be gone."""
        async with self._typed():
            found = await self._client.search(
                name,
                [vector.tolist()],
                filter=f"tenant == {tenant:d}",
                limit=min(top_k, MOST),
                search_params={"metric_type": "IP", "params": {"ef": max(EF, 2 * top_k)}},
                consistency_level="Bounded",
            )
        return [int(hit["id"]) for hit in found[0]]

    async def put(self, name: str, tenant: TenantNumber, batch: VectorBatch) -> None:
        """Put these vectors in place of any of the same chunks, which an interrupted call may have put there."""
        for first in range(0, len(batch.chunks), WRITTEN_AT_ONCE):
            chunks = batch.chunks[first : first + WRITTEN_AT_ONCE].tolist()
            values = batch.values[first : first + WRITTEN_AT_ONCE].astype(np.float32)
            rows = [
                {"id": chunk, "tenant": int(tenant), "vector": value}
                for chunk, value in zip(chunks, values, strict=True)
            ]
            await self.remove(name, tenant, chunks)
            async with self._typed():
                await self._client.insert(name, rows)

    async def remove(self, name: str, tenant: TenantNumber, chunks: Sequence[int]) -> None:
        for first in range(0, len(chunks), REMOVED_AT_ONCE):
            some = list(chunks[first : first + REMOVED_AT_ONCE])
            async with self._typed():
                await self._client.delete(name, filter=f"tenant == {tenant:d} and id in {some}")

    async def remove_tenant(self, name: str, tenant: TenantNumber) -> None:
        async with self._typed():
            await self._client.delete(name, filter=f"tenant == {tenant:d}")

    async def count(self, name: str, tenant: TenantNumber) -> int:
        """Return how many vectors of the tenant all that has been written makes: waits for it, about 0.2 s."""
        async with self._typed():
            rows: Any = await self._client.query(
                name, filter=f"tenant == {tenant:d}", output_fields=["count(*)"], consistency_level="Strong"
            )
        return int(rows[0]["count(*)"])

    @asynccontextmanager
    async def _typed(self) -> AsyncIterator[None]:
        try:
            yield
        except self._errors as error:
            raise IndexUnavailable from error

"""Find the nearest vectors in this process, in a FAISS index for each tenant; always min(top_k, matching) hits.

PostgreSQL keeps the vectors, an index is a copy of them. Each search brings it to the version of the tenant's chunks
that its snapshot sees, so a delete or a replacement, whichever process made it, counts from the very next search on.
What an index in memory cannot do well is left to PostgreSQL: narrow filters, tenants larger than the memory, snapshots
older than the index.
"""

from __future__ import annotations

import asyncio
import logging
from collections import OrderedDict
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from app.concurrency import unbroken
from app.retrieval.chunks import keep_matching
from app.retrieval.match import Hit
from app.retrieval.stores import index_file
from app.retrieval.stores.cached_index import CachedIndex
from app.retrieval.stores.faiss_index import FaissIndex
from app.retrieval.stores.pgvector import PgvectorStore
from app.storage import changelog
from app.storage.database import Connection, seeing_all, without_time_limits
from app.storage.filter_sql import Condition
from app.storage.filters import Filter
from app.storage.snapshot import Snapshot
from app.storage.tenancy import TenantNumber

log = logging.getLogger("kyujang.stores")

IVF_FROM_VECTORS = 200_000
FILE_FROM_VECTORS = 20_000
FETCHED_FOR_A_FILTER = 4
MAX_FETCHED = 20_000


class FaissStore:
    def __init__(
        self,
        folder: Path,
        *,
        space: int,
        model: str,
        dimension: int,
        memory_bytes: int,
        ivf_from: int = IVF_FROM_VECTORS,
        file_from: int = FILE_FROM_VECTORS,
    ) -> None:
        self._folder = folder
        self._space = space
        self._model = model
        self._dimension = dimension
        self._memory_bytes = memory_bytes
        self._ivf_from = ivf_from
        self._file_from = file_from
        self._cached: OrderedDict[int, CachedIndex] = OrderedDict()
        self._background: dict[TenantNumber, asyncio.Task[None]] = {}
        self._database = PgvectorStore(space)

    async def open(self, tenants: set[TenantNumber]) -> None:
        """Remove the files of deleted tenants."""
        await asyncio.to_thread(index_file.remove_all_but, self._folder, tenants)

    async def close(self) -> None:
        await asyncio.gather(*self._background.values(), return_exceptions=True)

    async def forget(self, tenant: TenantNumber) -> None:
        self._cached.pop(tenant, None)
        if tenant in self._background:
            await asyncio.wait([self._background[tenant]])
        await asyncio.to_thread(index_file.remove, self._folder, tenant)

    async def search(
        self,
        snapshot: Snapshot,
        tenant: TenantNumber,
        vector: NDArray[np.float32],
        top_k: int,
        where: Filter | None = None,
    ) -> list[Hit]:
        begun = await self._database.begin(snapshot, tenant, vector, top_k, where)
        hits = begun.hits
        if hits is None and self._bytes(begun.stored.chunks) <= self._memory_bytes:
            version = begun.stored.version
            hits = await self._nearest(begun.connection, tenant, version, vector, top_k, begun.condition)
        return hits if hits is not None else await self._database.go_on(begun, tenant, vector, top_k)

    async def _nearest(
        self,
        connection: Connection,
        tenant: TenantNumber,
        version: int,
        vector: NDArray[np.float32],
        top_k: int,
        where: Condition | None,
    ) -> list[Hit] | None:
        """Return None if the index is ahead of the snapshot, or too few of the nearest match."""
        if where is None:
            return await self._of_version(connection, tenant, version, vector, top_k)
        fetched = top_k * FETCHED_FOR_A_FILTER
        while fetched <= MAX_FETCHED:
            hits = await self._of_version(connection, tenant, version, vector, fetched)
            if hits is None:
                return None
            kept = await keep_matching(connection, tenant, hits, where)
            if len(kept) >= top_k or len(hits) < fetched:
                return kept[:top_k]
            fetched *= 8
        return None

    async def _of_version(
        self, connection: Connection, tenant: TenantNumber, version: int, vector: NDArray[np.float32], top_k: int
    ) -> list[Hit] | None:
        cached = self._cached.setdefault(tenant, CachedIndex())
        self._cached.move_to_end(tenant)
        while True:
            found = await asyncio.to_thread(cached.search, version, vector, top_k)
            if not isinstance(found, str):
                return found
            if found == "newer":
                return None
            async with cached.advancing:
                if cached.version < version:
                    # The index is the tenant's, whatever part the search sees.
                    async with seeing_all(connection):
                        await self._advance(connection, tenant, cached, version)

    async def _advance(self, connection: Connection, tenant: TenantNumber, cached: CachedIndex, version: int) -> None:
        """Bring the index to the snapshot's version: from its file, by what has changed since, or from the start."""
        if cached.index is None:
            await asyncio.to_thread(self._read_file, tenant, cached, version)
        since = cached.version
        if since < version:
            changed = await changelog.since(connection, tenant, since) if cached.index is not None else None
            if changed is None:
                # A caller that hangs up, or whose time is over, would leave it to the next one to begin again.
                await unbroken(self._load(connection, tenant, cached, version))
            else:
                added = [batch async for batch in changelog.vectors(connection, tenant, self._space, changed.documents)]
                await asyncio.to_thread(cached.apply, changed.removed, added, since=since, version=version)
        self._evict(tenant)
        self._maintain(tenant, cached)

    async def _load(self, connection: Connection, tenant: TenantNumber, cached: CachedIndex, version: int) -> None:
        await without_time_limits(connection)
        index = FaissIndex(self._dimension)
        async for batch in changelog.vectors(connection, tenant, self._space):
            await asyncio.to_thread(index.add, batch)
        await asyncio.to_thread(cached.replace, index, version, unsaved=len(index))

    def _read_file(self, tenant: TenantNumber, cached: CachedIndex, version: int) -> None:
        found = index_file.read(self._folder, tenant, model=self._model, dimension=self._dimension)
        if found is None or found[0] > version:
            return
        try:
            index = FaissIndex.from_bytes(self._dimension, found[1])
        except RuntimeError as error:
            log.warning("an index file is not used", extra={"tenant": tenant, "cause": str(error)})
            return
        cached.replace(index, found[0], unsaved=0)

    def _evict(self, tenant: TenantNumber) -> None:
        """Drop the least recently used beyond the memory limit; keep `tenant`."""
        used = {number: self._bytes(len(each.index)) for number, each in self._cached.items() if each.index is not None}
        for number in list(used):
            if sum(used.values()) <= self._memory_bytes:
                return
            if number != tenant:
                del used[number], self._cached[number]

    def _maintain(self, tenant: TenantNumber, cached: CachedIndex) -> None:
        if tenant not in self._background and (self._wants_ivf(cached) or self._wants_saving(cached)):
            self._background[tenant] = asyncio.create_task(self._maintained(tenant, cached))

    async def _maintained(self, tenant: TenantNumber, cached: CachedIndex) -> None:
        try:
            if self._wants_ivf(cached):
                await asyncio.to_thread(cached.build_ivf)
            if self._wants_saving(cached):
                await asyncio.to_thread(self._save, tenant, cached)
        except (OSError, RuntimeError) as error:
            # The index stays in use as it is; the next change tries again.
            log.warning("an index could not be rebuilt or saved", extra={"tenant": tenant, "cause": str(error)})
        finally:
            del self._background[tenant]

    def _save(self, tenant: TenantNumber, cached: CachedIndex) -> None:
        version, content = cached.contents()
        header = index_file.Header(tenant, version, self._model, self._dimension)
        index_file.write(self._folder, header, content)

    def _wants_ivf(self, cached: CachedIndex) -> bool:
        index = cached.index
        return index is not None and len(index) >= self._ivf_from and not index.is_ivf

    def _wants_saving(self, cached: CachedIndex) -> bool:
        """Save only where a file is faster than the database. It may lag by a tenth: the change log makes up for it."""
        size = len(cached.index) if cached.index is not None else 0
        return size >= self._file_from and cached.unsaved * 10 >= size

    def _bytes(self, chunks: int) -> int:
        return chunks * (2 * self._dimension + 8)

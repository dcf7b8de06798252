"""k-NN in this process, over FAISS indexes of one tenant each; always min(top_k, matching) hits.

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

from app.retrieval.chunks import keep_matching
from app.retrieval.match import Hit
from app.retrieval.stores import index_file
from app.retrieval.stores.cached_index import Resident
from app.retrieval.stores.faiss_index import FaissIndex
from app.retrieval.stores.pgvector import PgvectorStore, narrow
from app.storage import changelog
from app.storage.database import Connection, connection_of
from app.storage.filter_sql import Condition, compile_filter
from app.storage.filters import Filter
from app.storage.snapshot import Snapshot
from app.tenancy import TenantNumber

log = logging.getLogger("kyujang.stores")

LISTS_FROM_VECTORS = 200_000
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
        lists_from: int = LISTS_FROM_VECTORS,
        file_from: int = FILE_FROM_VECTORS,
    ) -> None:
        self._folder = folder
        self._space = space
        self._model = model
        self._dimension = dimension
        self._memory_bytes = memory_bytes
        self._lists_from = lists_from
        self._file_from = file_from
        self._residents: OrderedDict[int, Resident] = OrderedDict()
        self._background: dict[TenantNumber, asyncio.Task[None]] = {}
        self._database = PgvectorStore(space)

    async def open(self, tenants: set[TenantNumber]) -> None:
        """Removes the files of tenants that are no more."""
        await asyncio.to_thread(index_file.remove_all_but, self._folder, tenants)

    async def close(self) -> None:
        await asyncio.gather(*self._background.values(), return_exceptions=True)

    async def forget(self, tenant: TenantNumber) -> None:
        self._residents.pop(tenant, None)
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
        connection = connection_of(snapshot)
        stored = await changelog.state(connection, tenant)
        if stored.chunks == 0:
            return []
        condition = compile_filter(where) if where else None
        if condition and (few := await narrow(connection, tenant, condition, stored.chunks, top_k)) is not None:
            return await self._database.among(connection, tenant, vector, top_k, few)
        hits = None
        if self._bytes(stored.chunks) <= self._memory_bytes:
            hits = await self._nearest(connection, tenant, stored.version, vector, top_k, condition)
        return hits if hits is not None else await self._database.search(snapshot, tenant, vector, top_k, where)

    async def _nearest(
        self,
        connection: Connection,
        tenant: TenantNumber,
        version: int,
        vector: NDArray[np.float32],
        top_k: int,
        where: Condition | None,
    ) -> list[Hit] | None:
        """None if the index is ahead of the snapshot, or too few of the nearest match."""
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
        resident = self._residents.setdefault(tenant, Resident())
        self._residents.move_to_end(tenant)
        while True:
            found = await asyncio.to_thread(resident.search, version, vector, top_k)
            if not isinstance(found, str):
                return found
            if found == "newer":
                return None
            async with resident.advancing:
                if resident.version < version:
                    await self._advance(connection, tenant, resident, version)

    async def _advance(self, connection: Connection, tenant: TenantNumber, resident: Resident, version: int) -> None:
        """To the snapshot's version: from the file if there is one, by what has changed since, or from the start."""
        if resident.index is None:
            await asyncio.to_thread(self._read_file, tenant, resident, version)
        since = resident.version
        if since < version:
            changed = await changelog.since(connection, tenant, since) if resident.index is not None else None
            if changed is None:
                await self._load(connection, tenant, resident, version)
            else:
                added = [batch async for batch in changelog.vectors(connection, tenant, self._space, changed.documents)]
                await asyncio.to_thread(resident.apply, changed.removed, added, since=since, version=version)
        self._evict(tenant)
        self._maintain(tenant, resident)

    async def _load(self, connection: Connection, tenant: TenantNumber, resident: Resident, version: int) -> None:
        index = FaissIndex(self._dimension)
        async for batch in changelog.vectors(connection, tenant, self._space):
            await asyncio.to_thread(index.add, batch)
        await asyncio.to_thread(resident.replace, index, version, unsaved=len(index))

    def _read_file(self, tenant: TenantNumber, resident: Resident, version: int) -> None:
        found = index_file.read(self._folder, tenant, model=self._model, dimension=self._dimension)
        if found is None or found[0] > version:
            return
        try:
            index = FaissIndex.from_bytes(self._dimension, found[1])
        except RuntimeError as error:
            log.warning("an index file is not used", extra={"tenant": tenant, "cause": str(error)})
            return
        resident.replace(index, found[0], unsaved=0)

    def _evict(self, tenant: TenantNumber) -> None:
        """The least recently asked go first; `tenant` stays."""
        used = {
            number: self._bytes(len(each.index)) for number, each in self._residents.items() if each.index is not None
        }
        for number in list(used):
            if sum(used.values()) <= self._memory_bytes:
                return
            if number != tenant:
                del used[number], self._residents[number]

    def _maintain(self, tenant: TenantNumber, resident: Resident) -> None:
        if tenant not in self._background and (self._wants_lists(resident) or self._wants_saving(resident)):
            self._background[tenant] = asyncio.create_task(self._maintained(tenant, resident))

    async def _maintained(self, tenant: TenantNumber, resident: Resident) -> None:
        try:
            if self._wants_lists(resident):
                await asyncio.to_thread(resident.cluster)
            if self._wants_saving(resident):
                await asyncio.to_thread(self._save, tenant, resident)
        except (OSError, RuntimeError) as error:
            # The index goes on as it is; the next change tries again.
            log.warning("an index could not be clustered or saved", extra={"tenant": tenant, "cause": str(error)})
        finally:
            del self._background[tenant]

    def _save(self, tenant: TenantNumber, resident: Resident) -> None:
        version, content = resident.contents()
        stamp = index_file.Stamp(tenant, version, self._model, self._dimension)
        index_file.write(self._folder, stamp, content)

    def _wants_lists(self, resident: Resident) -> bool:
        index = resident.index
        return index is not None and len(index) >= self._lists_from and not index.has_lists

    def _wants_saving(self, resident: Resident) -> bool:
        """Below, the database is as fast as a file. A file may lag by a tenth: the log of changes makes up for it."""
        size = len(resident.index) if resident.index is not None else 0
        return size >= self._file_from and resident.unsaved * 10 >= size

    def _bytes(self, chunks: int) -> int:
        return chunks * (2 * self._dimension + 8)

"""Keep an index outside the database (KYUJANG_INDEX=milvus) in step with it: one worker follows each tenant's changes.

What the log of changes names is put into the collection, and counted there before the position is confirmed; until
then searches take it from the database. A killed worker's step is done again by the next one.
"""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass

from app.errors import Unavailable
from app.retrieval.stores.milvus_collection import MilvusCollection
from app.retrieval.stores.milvus_store import MilvusStore
from app.services import Services
from app.storage import changelog, index_positions
from app.storage.database import Database
from app.storage.index_positions import Position
from app.storage.tenancy import TenantNumber
from ingest.jobs.queue import worker_name

log = logging.getLogger("kyujang.indexing")

EVERY_S = 0.5
LEASE_S = 60.0
# A search under "Bounded" does not wait for a replica that is so far behind (Milvus's graceful time, 5 s).
BEHIND_S = 6.0
# How many chunks of a tenant searches may have to take from the database.
MOST_UNCONFIRMED = 20_000


@dataclass(frozen=True, slots=True)
class Written:
    """How many vectors of a tenant a collection has at least, if it has what `reached` says."""

    tenant: TenantNumber
    reached: Position
    vectors: int


async def follow_forever(services: Services) -> None:
    """Follow the active space's changes until cancelled; forget what was followed if no such index is in use."""
    if services.settings.index != "milvus":
        await index_positions.forget_collections(services.database)
        await asyncio.Event().wait()
    follower = Follower(services.database, worker_name())
    while True:
        try:
            store = services.spaces.current.store
            assert isinstance(store, MilvusStore)
            await follower.follow(store.collection, store.space)
        except Unavailable as error:
            log.warning("the index is not up to date", extra={"cause": error.detail})
        await asyncio.sleep(EVERY_S)


class Follower:
    def __init__(self, database: Database, worker: str, *, behind_s: float = BEHIND_S) -> None:
        self._database = database
        self._worker = worker
        self._behind_s = behind_s
        self._loaded = set[str]()

    async def follow(self, collection: MilvusCollection, space: int) -> int:
        """Bring the collection up to date, unless another worker does. Return of how many tenants it was behind."""
        name = await index_positions.name_collection(self._database, space)
        if not await self._leads(space):
            return 0
        if not await collection.exists(name):
            await index_positions.forget_positions(self._database, name)
            await collection.create(name)
        elif name not in self._loaded:
            await collection.load(name)
        self._loaded.add(name)
        tenants = await index_positions.behind(self._database, name)
        written = [await self._write(collection, name, space, tenant) for tenant in tenants]
        if any(each.vectors for each in written):
            await asyncio.sleep(self._behind_s)
        for each in written:
            await self._confirm(collection, name, each)
        return len(tenants)

    async def _leads(self, space: int) -> bool:
        return await index_positions.follows(self._database, space, self._worker, lease_s=LEASE_S)

    async def _write(self, collection: MilvusCollection, name: str, space: int, tenant: TenantNumber) -> Written:
        """Put into the collection what is new, and remove what has been gone for a while."""
        async with self._database.snapshot(tenant) as connection_snapshot:
            connection = connection_snapshot.connection
            current = await changelog.corpus_state(connection, tenant)
            reached = await index_positions.position(connection, tenant, name)
            documents = await index_positions.changed_since(connection, tenant, reached) if reached else None
            if reached is None or documents is None:
                await collection.remove_tenant(name, tenant)
                reached, documents = Position(current.version, current.version), None
            else:
                removed, gone = await index_positions.gone_since(connection, tenant, reached)
                await collection.remove(name, tenant, gone)
                reached = Position(current.version, removed)
            if documents != []:
                async for batch in changelog.vectors(connection, tenant, space, documents):
                    await collection.put(name, tenant, batch)
                    await self._leads(space)
        return Written(tenant, reached, current.chunks)

    async def _confirm(self, collection: MilvusCollection, name: str, written: Written) -> None:
        found = await collection.count(name, written.tenant)
        async with self._database.transaction(written.tenant) as connection:
            if found >= written.vectors:
                await index_positions.confirm(connection, written.tenant, name, written.reached)
                return
            await index_positions.forget_position(connection, written.tenant, name)
        log.warning("the index lacks vectors and is filled again", extra={"tenant": written.tenant, "found": found})


async def wait_for_room(services: Services, tenant: TenantNumber) -> None:
    """Wait while searches of the tenant take so much from the database that more would slow them."""
    if services.settings.index != "milvus":
        return
    space = services.spaces.current.number
    while True:
        if await index_positions.unconfirmed(services.database, tenant, space) < MOST_UNCONFIRMED:
            return
        await asyncio.sleep(EVERY_S)

"""Keep the embedding spaces that this process has open, and know which of them it searches.

A switch is one transaction in the database, and each search asks its own snapshot which space is active. A process
opens the next model while its vectors are being built, so that the first search after the switch finds it there; a
process that cannot open it keeps the space it has.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import cached_property

from app.embedding import Embedder, Translator
from app.errors import KyujangError
from app.retrieval.stores import VectorStore
from app.storage.database import Database, connection_of
from app.storage.snapshot import Snapshot
from app.storage.spaces import Space, active_number, spaces
from app.storage.tenancy import TenantNumber
from app.storage.tenant_deletions import deleted_tenants

log = logging.getLogger("kyujang.spaces")

POLL_S = 5


@dataclass(frozen=True, eq=False)
class OpenSpace:
    """A model and the store of its vectors: neither is of use without the other."""

    number: int
    embedder: Embedder
    store: VectorStore

    @cached_property
    def translator(self) -> Translator:
        return Translator(self.embedder)

    async def close(self) -> None:
        self.embedder.close()
        await self.store.close()


class OpenSpaces:
    def __init__(
        self, database: Database, open_space: Callable[[Space], Awaitable[OpenSpace]], current: OpenSpace
    ) -> None:
        self._database = database
        self._open_space = open_space
        self._open = {current.number: current}
        self._closing: set[int] = set()
        self._refreshing = asyncio.Lock()
        self._forgotten: set[TenantNumber] = set()
        self.current = current
        self.stale_reason: str | None = None
        """Why this process still searches a space that is no longer the active one, or None."""

    async def active_in(self, snapshot: Snapshot) -> OpenSpace:
        """Make the space that is active in the snapshot current and return it."""
        return self.switch_to(await active_number(connection_of(snapshot)))

    def switch_to(self, number: int) -> OpenSpace:
        """Make space `number` current and return it; keep the previous one if this process has not opened it yet."""
        self.current = self._open.get(number, self.current)
        return self.current

    async def refresh(self, *, include_building: bool) -> None:
        """Open the active space, with `include_building` also the one being built; close those no longer needed.

        A space is closed at the second refresh that finds it unneeded: a search may still use it until then.
        """
        async with self._refreshing:
            stored = await spaces(self._database)
            wanted = {
                space.number
                for space in stored
                if space.state == "active" or (include_building and space.state == "building")
            }
            for space in stored:
                if space.number in wanted and space.number not in self._open:
                    await self._try_to_open(space)
                if space.state == "active":
                    self.switch_to(space.number)
                    self.stale_reason = None if self.current.number == space.number else f"cannot open {space.model}"
            unwanted = self._open.keys() - wanted - {self.current.number}
            for number in unwanted & self._closing:
                await self._open.pop(number).close()
            self._closing = unwanted - self._closing

    async def watch(self) -> None:
        """Refresh every few seconds until cancelled, and forget deleted tenants."""
        while True:
            await asyncio.sleep(POLL_S)
            try:
                await self.forget_deleted()
                await self.refresh(include_building=True)
            except KyujangError as error:
                log.warning("the embedding spaces could not be read", extra={"cause": error.detail})

    async def forget_deleted(self) -> None:
        """Forget the tenants that are deleted, whichever process deletes them; until it is done, again and again."""
        for tenant, gone in await deleted_tenants(self._database):
            if tenant not in self._forgotten:
                await self.forget(tenant)
                if gone:
                    self._forgotten.add(tenant)

    async def forget(self, tenant: TenantNumber) -> None:
        """Remove what this process and its files keep of a tenant outside the database."""
        for space in self._open.values():
            await space.store.forget(tenant)

    async def close(self) -> None:
        for space in self._open.values():
            await space.close()

    async def _try_to_open(self, space: Space) -> None:
        try:
            self._open[space.number] = await self._open_space(space)
            log.info("opened another embedding model", extra={"model": space.model})
        except KyujangError as error:
            log.error("an embedding model cannot be opened", extra={"model": space.model, "cause": error.detail})

"""Which searches are under way, which wait, and which are turned away."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from app import cpu
from app.errors import Overloaded, TooManyRequests
from app.turns import Slots


class SearchAdmission:
    """Few searches of one tenant are under way at a time: the model's batches are full with them, and words, vectors
    and rows are looked up without the others waiting."""

    def __init__(
        self, *, total: int = 32, per_tenant: int = 8, queue: int = 64, timeout_s: float | None = None
    ) -> None:
        # Searches compute, here or in PostgreSQL beside it: those of one tenant leave a core to another's.
        self._slots = Slots(total=total, per_tenant=per_tenant, beside_others=max(1, cpu.cores() - 1))
        self._queue = queue
        self._timeout_s = timeout_s

    @asynccontextmanager
    async def slot(self, tenant: int) -> AsyncIterator[None]:
        """Hold a slot during the block. Raises TooManyRequests if too many searches of the tenant wait for one."""
        self.refuse_if_full(tenant)
        async with self._slots.slot(tenant):
            yield

    def refuse_if_full(self, tenant: int) -> None:
        """Raise TooManyRequests if too many of its searches wait: worth asking before a request's body is read."""
        if self._slots.full(tenant, self._queue):
            raise TooManyRequests(
                f"{self._slots.running_of(tenant)} searches of this tenant are under way and {self._queue} are "
                "waiting (KYUJANG_TENANT_QUEUE). Wait for some of them."
            )

    @asynccontextmanager
    async def deadline(self) -> AsyncIterator[None]:
        """Cancel the block when the time of a search is over. Raises Overloaded then."""
        try:
            async with asyncio.timeout(self._timeout_s) as deadline:
                yield
        except TimeoutError as error:
            if not deadline.expired():
                raise
            raise Overloaded(
                f"This search has taken {self._timeout_s:g} s (KYUJANG_SEARCH_TIMEOUT_S): the service is busy."
            ) from error

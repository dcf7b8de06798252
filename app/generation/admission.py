"""Which requests may generate now, which wait, and which are turned away.

A limit for the process, a lower one for each tenant, and a queue for each tenant. Whenever a slot becomes free, the
waiting tenants take turns, so that one tenant's burst costs another at most one turn each time.
"""

from __future__ import annotations

import asyncio
from collections import Counter, deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from app.errors import Overloaded, TooManyRequests
from app.metrics import Metrics


class Admission:
    """To the engine's client a tenant is a number that takes turns, hence `int`."""

    def __init__(self, metrics: Metrics, *, concurrency: int, per_tenant: int, queue: int, timeout_s: float) -> None:
        self._metrics = metrics
        self._concurrency = concurrency
        self._per_tenant = per_tenant
        self._queue = queue
        self._timeout_s = timeout_s
        self._running: Counter[int] = Counter()
        # In the order of their turns.
        self._waiting: dict[int, deque[asyncio.Future[None]]] = {}

    @property
    def running(self) -> int:
        return self._running.total()

    @property
    def waiting(self) -> int:
        return sum(map(len, self._waiting.values()))

    @asynccontextmanager
    async def slot(self, tenant: int) -> AsyncIterator[None]:
        """Hold a slot during the block. Raises TooManyRequests at once, or Overloaded after the wait."""
        await self._enter(tenant)
        try:
            yield
        finally:
            self._running[tenant] -= 1
            self._admit_waiting()

    def refuse_if_full(self, tenant: int) -> None:
        """Raise TooManyRequests if this tenant's queue is full: worth asking before any work is done for a request."""
        if not self._free(tenant) and len(self._waiting.get(tenant, ())) >= self._queue:
            self._metrics.engine_rejected.labels("queue_full").inc()
            raise TooManyRequests(
                f"{self._running[tenant]} requests of this tenant are being answered and {self._queue} are waiting "
                "(KYUJANG_TENANT_CONCURRENCY, KYUJANG_TENANT_QUEUE). Wait for some of them."
            )

    async def _enter(self, tenant: int) -> None:
        if self._free(tenant):
            self._running[tenant] += 1
            self._publish()
            return
        self.refuse_if_full(tenant)
        await self._wait(tenant)

    async def _wait(self, tenant: int) -> None:
        waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(tenant, deque()).append(waiter)
        self._publish()
        try:
            async with asyncio.timeout(self._timeout_s):
                await waiter
        except BaseException as error:
            if waiter.done() and not waiter.cancelled():
                # The slot was given in the same moment as the caller hung up or the time was over.
                self._running[tenant] -= 1
            else:
                self._leave_queue(tenant, waiter)
            self._admit_waiting()
            if isinstance(error, TimeoutError):
                self._metrics.engine_rejected.labels("queue_timeout").inc()
                raise Overloaded(
                    f"The engine is busy: this request has waited {self._timeout_s:g} s (KYUJANG_QUEUE_TIMEOUT_S)."
                ) from error
            raise

    def _free(self, tenant: int) -> bool:
        """Whether a slot is free and no request of the same tenant waits for it."""
        return tenant not in self._waiting and self._has_room(tenant)

    def _has_room(self, tenant: int) -> bool:
        return self.running < self._concurrency and self._running[tenant] < self._per_tenant

    def _admit_waiting(self) -> None:
        """Give free slots to waiting requests."""
        while (tenant := next(filter(self._has_room, self._waiting), None)) is not None:
            waiter = self._waiting[tenant][0]
            self._leave_queue(tenant, waiter)
            if tenant in self._waiting:
                self._waiting[tenant] = self._waiting.pop(tenant)
            if not waiter.done():
                waiter.set_result(None)
                self._running[tenant] += 1
        self._publish()

    def _leave_queue(self, tenant: int, waiter: asyncio.Future[None]) -> None:
        waiting = self._waiting.get(tenant)
        if waiting is not None and waiter in waiting:
            waiting.remove(waiter)
            if not waiting:
                del self._waiting[tenant]

    def _publish(self) -> None:
        # Drops zeros: tenants come and go for as long as the process lives.
        self._running = +self._running
        self._metrics.engine_requests.labels("running").set(self.running)
        self._metrics.engine_requests.labels("waiting").set(self.waiting)

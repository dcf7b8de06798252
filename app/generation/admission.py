"""Who may generate now, who waits, and who is turned away.

So many requests at a time for the process, fewer for each tenant, and a queue for each. Whenever a place is given
back, the tenants that wait take turns, so that one tenant's burst costs another at most one turn each time.
"""

from __future__ import annotations

import asyncio
from collections import Counter, deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from app.errors import Overloaded, TooManyRequests
from app.metrics import Metrics
from app.tenancy import TenantNumber


class Admission:
    def __init__(self, metrics: Metrics, *, concurrency: int, per_tenant: int, queue: int, timeout_s: float) -> None:
        self._metrics = metrics
        self._concurrency = concurrency
        self._per_tenant = per_tenant
        self._queue = queue
        self._timeout_s = timeout_s
        self._running: Counter[TenantNumber] = Counter()
        # In the order of their turns.
        self._waiting: dict[TenantNumber, deque[asyncio.Future[None]]] = {}

    @property
    def running(self) -> int:
        return self._running.total()

    @property
    def waiting(self) -> int:
        return sum(map(len, self._waiting.values()))

    @asynccontextmanager
    async def place(self, tenant: TenantNumber) -> AsyncIterator[None]:
        """Held until the end of the block. Raises TooManyRequests at once, or Overloaded after the wait."""
        await self._enter(tenant)
        try:
            yield
        finally:
            self._running[tenant] -= 1
            self._next()

    def refuse_if_full(self, tenant: TenantNumber) -> None:
        """Raises TooManyRequests if this tenant's queue is: worth asking before any work is done for a request."""
        if not self._free(tenant) and len(self._waiting.get(tenant, ())) >= self._queue:
            self._metrics.engine_rejected.labels("queue_full").inc()
            raise TooManyRequests(
                f"{self._running[tenant]} requests of this tenant are being answered and {self._queue} are waiting "
                "(KYUJANG_TENANT_CONCURRENCY, KYUJANG_TENANT_QUEUE). Wait for some of them."
            )

    async def _enter(self, tenant: TenantNumber) -> None:
        if self._free(tenant):
            self._running[tenant] += 1
            self._publish()
            return
        self.refuse_if_full(tenant)
        await self._wait(tenant)

    async def _wait(self, tenant: TenantNumber) -> None:
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(tenant, deque()).append(turn)
        self._publish()
        try:
            async with asyncio.timeout(self._timeout_s):
                await turn
        except BaseException as error:
            if turn.done() and not turn.cancelled():
                # The place was given in the same moment as the caller hung up or the time was over.
                self._running[tenant] -= 1
            else:
                self._leave_queue(tenant, turn)
            self._next()
            if isinstance(error, TimeoutError):
                self._metrics.engine_rejected.labels("queue_timeout").inc()
                raise Overloaded(
                    f"The engine is busy: this request has waited {self._timeout_s:g} s (KYUJANG_QUEUE_TIMEOUT_S)."
                ) from error
            raise

    def _free(self, tenant: TenantNumber) -> bool:
        """Without going before somebody of the same tenant."""
        return tenant not in self._waiting and self._has_room(tenant)

    def _has_room(self, tenant: TenantNumber) -> bool:
        return self.running < self._concurrency and self._running[tenant] < self._per_tenant

    def _next(self) -> None:
        """Gives free places to those who wait."""
        while (tenant := next(filter(self._has_room, self._waiting), None)) is not None:
            turn = self._waiting[tenant][0]
            self._leave_queue(tenant, turn)
            if tenant in self._waiting:
                self._waiting[tenant] = self._waiting.pop(tenant)
            if not turn.done():
                turn.set_result(None)
                self._running[tenant] += 1
        self._publish()

    def _leave_queue(self, tenant: TenantNumber, turn: asyncio.Future[None]) -> None:
        waiting = self._waiting.get(tenant)
        if waiting is not None and turn in waiting:
            waiting.remove(turn)
            if not waiting:
                del self._waiting[tenant]

    def _publish(self) -> None:
        # Counted down to nothing is gone: tenants come and go for as long as the process lives.
        self._running = +self._running
        self._metrics.engine_requests.labels("running").set(self.running)
        self._metrics.engine_requests.labels("waiting").set(self.waiting)

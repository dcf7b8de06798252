"""Turns by tenant at what all share, so that one tenant's flood costs another at most one turn each time.

Here a tenant is a number that takes turns, hence `int`.
"""

from __future__ import annotations

import asyncio
from collections import Counter, deque
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from time import monotonic
from typing import Generic, TypeVar

T = TypeVar("T")

# For so long a tenant that has asked for a slot counts as there.
BESIDE_S = 2.0
NO_TENANT = 0
"""For what the service itself asks for: it takes turns like a tenant."""


class Waiting(Generic[T]):
    """A queue for each tenant. Tenants take turns; of one tenant the first comes first."""

    def __init__(self) -> None:
        # In the order of their turns; no queue is empty.
        self._queues: dict[int, deque[T]] = {}
        self._served: int | None = None

    def __len__(self) -> int:
        return sum(map(len, self._queues.values()))

    def count(self, tenant: int) -> int:
        return len(self._queues.get(tenant, ()))

    def add(self, tenant: int, item: T, *, first: bool = False) -> None:
        queue = self._queues.setdefault(tenant, deque())
        (queue.appendleft if first else queue.append)(item)

    def discard(self, tenant: int, item: T) -> None:
        """Remove an item if it still waits."""
        queue = self._queues.get(tenant)
        if queue is not None and item in queue:
            queue.remove(item)
            if not queue:
                del self._queues[tenant]

    def next(self, may: Callable[[int], bool] = lambda tenant: True) -> T | None:
        """Return the item whose turn it is, among the tenants that may have one now; leave it there."""
        tenant = self._turn(may)
        return self._queues[tenant][0] if tenant is not None else None

    def take(self, may: Callable[[int], bool] = lambda tenant: True) -> tuple[int, T] | None:
        """Remove that item, and return it with its tenant, whose next turn comes after the others'."""
        tenant = self._turn(may)
        if tenant is None:
            return None
        item = self._queues[tenant].popleft()
        if not self._queues[tenant]:
            del self._queues[tenant]
        self._served = tenant
        return tenant, item

    def _turn(self, may: Callable[[int], bool]) -> int | None:
        # Only now, so that who has come since goes first.
        if self._served is not None and self._served in self._queues:
            self._queues[self._served] = self._queues.pop(self._served)
        return next(filter(may, self._queues), None)

    def clear(self) -> list[T]:
        """Remove all and return them."""
        items = [item for queue in self._queues.values() for item in queue]
        self._queues.clear()
        return items


class Slots:
    """A number of slots for all, and a lower one for each tenant. Those who wait for one take turns by tenant.

    A tenant has `per_tenant` slots while it is alone, and `beside_others` while another has asked for one lately.
    """

    def __init__(self, *, total: int, per_tenant: int, beside_others: int | None = None) -> None:
        self._total = total
        self._per_tenant = per_tenant
        self._beside_others = per_tenant if beside_others is None else min(per_tenant, beside_others)
        # When each tenant last asked, the latest last.
        self._asked_at: dict[int, float] = {}
        self._running: Counter[int] = Counter()
        self._waiting: Waiting[asyncio.Future[None]] = Waiting()

    @property
    def running(self) -> int:
        return self._running.total()

    @property
    def waiting(self) -> int:
        return len(self._waiting)

    def running_of(self, tenant: int) -> int:
        return self._running[tenant]

    def free(self, tenant: int) -> bool:
        """Say whether a slot is free and no request of the same tenant waits for it."""
        return not self._waiting.count(tenant) and self._has_room(tenant)

    def full(self, tenant: int, queue: int) -> bool:
        """Say whether a request would have to wait and `queue` of the same tenant do already."""
        return not self.free(tenant) and self._waiting.count(tenant) >= queue

    @asynccontextmanager
    async def slot(self, tenant: int, *, timeout_s: float | None = None) -> AsyncIterator[None]:
        """Hold a slot during the block. Raises TimeoutError if the wait for it is longer than `timeout_s`."""
        async with asyncio.timeout(timeout_s):
            await self._enter(tenant)
        try:
            yield
        finally:
            self._leave(tenant)

    async def _enter(self, tenant: int) -> None:
        self._note(tenant)
        if self.free(tenant):
            self._running[tenant] += 1
            return
        waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.add(tenant, waiter)
        try:
            await waiter
        except BaseException:
            if waiter.done() and not waiter.cancelled():
                # The slot was given in the same moment as the caller hung up or the time was over.
                self._leave(tenant)
            else:
                self._waiting.discard(tenant, waiter)
            raise

    def _leave(self, tenant: int) -> None:
        self._running[tenant] -= 1
        if not self._running[tenant]:
            # Tenants come and go for as long as the process lives.
            del self._running[tenant]
        while (turn := self._waiting.take(self._has_room)) is not None:
            waiting_tenant, waiter = turn
            if not waiter.done():
                waiter.set_result(None)
                self._running[waiting_tenant] += 1

    def _has_room(self, tenant: int) -> bool:
        most = self._per_tenant if self._is_alone(tenant) else self._beside_others
        return self.running < self._total and self._running[tenant] < most

    def _note(self, tenant: int) -> None:
        self._asked_at.pop(tenant, None)
        now = self._asked_at[tenant] = monotonic()
        while now - self._asked_at[first := next(iter(self._asked_at))] > BESIDE_S:
            del self._asked_at[first]

    def _is_alone(self, tenant: int) -> bool:
        """Say whether no other tenant has asked lately."""
        others = next((at for other, at in reversed(self._asked_at.items()) if other != tenant), -BESIDE_S)
        return monotonic() - others >= BESIDE_S

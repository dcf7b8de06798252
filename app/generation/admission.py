"""Which requests may generate now, which wait, and which are turned away.

A limit for the process, a lower one for each tenant, and a queue for each tenant; app/turns.py says whose turn it is.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

from app import tracing
from app.errors import Overloaded, TooManyRequests
from app.metrics import Metrics
from app.turns import Slots


class Admission:
    def __init__(self, metrics: Metrics, *, concurrency: int, per_tenant: int, queue: int, timeout_s: float) -> None:
        self._metrics = metrics
        self._slots = Slots(total=concurrency, per_tenant=per_tenant)
        self._queue = queue
        self._timeout_s = timeout_s
        metrics.engine_requests.labels("running").set_function(lambda: self.running)
        metrics.engine_requests.labels("waiting").set_function(lambda: self.waiting)

    @property
    def running(self) -> int:
        return self._slots.running

    @property
    def waiting(self) -> int:
        return self._slots.waiting

    @asynccontextmanager
    async def slot(self, tenant: int) -> AsyncIterator[None]:
        """Hold a slot during the block. Raises TooManyRequests at once, or Overloaded after the wait."""
        self.refuse_if_full(tenant)
        entered = False
        try:
            async with AsyncExitStack() as held:
                with tracing.beside("queue wait"):
                    await held.enter_async_context(self._slots.slot(tenant, timeout_s=self._timeout_s))
                entered = True
                yield
        except TimeoutError as error:
            if entered:
                raise
            self._metrics.engine_rejected.labels("queue_timeout").inc()
            raise Overloaded(
                f"The engine is busy: this request has waited {self._timeout_s:g} s (KYUJANG_QUEUE_TIMEOUT_S)."
            ) from error

    def refuse_if_full(self, tenant: int) -> None:
        """Raise TooManyRequests if this tenant's queue is full: worth asking before any work is done for a request."""
        if self._slots.full(tenant, self._queue):
            self._metrics.engine_rejected.labels("queue_full").inc()
            raise TooManyRequests(
                f"{self._slots.running_of(tenant)} requests of this tenant are being answered and {self._queue} are "
                "waiting (KYUJANG_TENANT_CONCURRENCY, KYUJANG_TENANT_QUEUE). Wait for some of them."
            )

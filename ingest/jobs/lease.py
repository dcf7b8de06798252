"""Work under a lease that is renewed until it is done."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, TypeVar

from app.errors import DatabaseUnavailable, KyujangError

T = TypeVar("T")

log = logging.getLogger("kyujang.worker")


class Stopping(KyujangError):
    """The worker was told to stop: the work goes back."""


async def run_under_lease(
    work: Coroutine[Any, Any, T],
    renew: Callable[[], Awaitable[None]],
    *,
    lease_s: float,
    stopping: asyncio.Task[bool] | None = None,
) -> T:
    """Raises what the work raises, what `renew` raises, LeaseLost above all, or Stopping; the work has ended then."""
    task = asyncio.create_task(work)
    awaited = {task} if stopping is None else {task, stopping}
    try:
        while True:
            await asyncio.wait(awaited, timeout=lease_s / 3, return_when="FIRST_COMPLETED")
            if task.done():
                return task.result()
            if stopping is not None and stopping.done():
                raise Stopping
            try:
                await renew()
            except DatabaseUnavailable:
                log.warning("the lease could not be renewed")
    finally:
        if not task.done():
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

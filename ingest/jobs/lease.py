"""Work under a lease that is renewed until it is done."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Coroutine

from app.errors import DatabaseUnavailable, KyujangError

log = logging.getLogger("kyujang.worker")


class Stopping(KyujangError):
    """The worker was told to stop: the work goes back."""


async def run_under_lease(
    work: Coroutine[None, None, None],
    renew: Callable[[], Awaitable[None]],
    *,
    lease_s: float,
    stopping: asyncio.Task[bool],
) -> None:
    """Raises what the work raises, what `renew` raises, LeaseLost above all, or Stopping; the work has ended then."""
    task = asyncio.create_task(work)
    try:
        while True:
            await asyncio.wait({task, stopping}, timeout=lease_s / 3, return_when="FIRST_COMPLETED")
            if task.done():
                return task.result()
            if stopping.done():
                raise Stopping
            try:
                await renew()
            except DatabaseUnavailable:
                log.warning("the lease could not be renewed")
    finally:
        if not task.done():
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

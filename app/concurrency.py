"""Work beside the work at hand: for as long as the process lives, or for as long as a block runs."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import TypeVar

log = logging.getLogger("kyujang.concurrency")

T = TypeVar("T")

PAUSE_S = 5.0


async def run_forever(work: Callable[[], Awaitable[None]]) -> None:
    """Run until cancelled; log unexpected errors and restart."""
    while True:
        try:
            await work()
        except Exception:
            log.exception("background work failed and restarts")
        await asyncio.sleep(PAUSE_S)


@asynccontextmanager
async def in_background(work: Awaitable[T]) -> AsyncIterator[asyncio.Future[T]]:
    """Run `work` while the block runs; cancel it on exit."""
    task = asyncio.ensure_future(work)
    try:
        yield task
    finally:
        task.cancel()
        # Retrieved here, since after a fault in the block nothing else reads its result.
        await asyncio.gather(task, return_exceptions=True)


async def unbroken(work: Awaitable[T]) -> T:
    """Await `work` to its end, also when cancelled: others need its result. Raises CancelledError only then."""
    task = asyncio.ensure_future(work)
    cancelled: asyncio.CancelledError | None = None
    while not task.done():
        try:
            await asyncio.wait({task})
        except asyncio.CancelledError as error:
            cancelled = error
    if cancelled is not None:
        raise cancelled
    return task.result()

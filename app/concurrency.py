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

"""Embed some batches ahead of the one that is being stored, so that the model never waits for the database."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Coroutine, Iterable
from typing import Any, TypeVar

from ingest.jobs.queue import TurnOver

Batch = TypeVar("Batch")
Made = TypeVar("Made")


async def store_in_order(
    batches: Iterable[Batch],
    make: Callable[[Batch], Coroutine[Any, Any, Made]],
    store: Callable[[Made], Awaitable[None]],
    *,
    before: Callable[[], Awaitable[None]],
    ahead: int,
) -> None:
    """Make each batch and store it, in order, with `ahead` more in the making. `before` is called before each batch
    but the first; what is at work when it raises TurnOver is stored first."""
    at_work = deque[asyncio.Task[Made]]()

    async def store_first() -> None:
        await store(await at_work[0])
        at_work.popleft()

    try:
        for number, batch in enumerate(batches):
            if number:
                await before()
            at_work.append(asyncio.create_task(make(batch)))
            if len(at_work) > ahead:
                await store_first()
        while at_work:
            await store_first()
    except TurnOver:
        while at_work:
            await store_first()
        raise
    finally:
        for task in at_work:
            task.cancel()
        await asyncio.gather(*at_work, return_exceptions=True)

"""Work beside the requests that lasts as long as the process."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable

log = logging.getLogger("kyujang.lasting")

PAUSE_S = 5.0


async def lasting(work: Callable[[], Awaitable[None]]) -> None:
    """Until it is cancelled. What nobody foresaw is logged, and the work begins anew."""
    while True:
        try:
            await work()
        except Exception:
            log.exception("background work failed and begins anew")
        await asyncio.sleep(PAUSE_S)

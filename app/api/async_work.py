"""Work that a request has started: repeated safely, waited for, found again."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Annotated, Any, TypeVar

from fastapi import Header, Query, Response

from app.storage.idempotency import Idempotency, payload_hash

Work = TypeVar("Work")

WAIT_STEP_S = 0.1
Wait = Annotated[float, Query(ge=0, le=60, description="Seconds to wait for the end")]
IdempotencyKey = Annotated[
    str | None, Header(pattern=r"^[!-~]{1,255}$", description="The same again makes nothing new")
]


def idempotency(key: str | None, route: str, parts: Sequence[Any]) -> Idempotency | None:
    """Return what recognises the same request when it is sent again, if it has a key."""
    return None if key is None else Idempotency(key, payload_hash(route, parts))


async def waited_for(
    work: Work, seconds: float, *, ended: Callable[[Work], bool], again: Callable[[], Awaitable[Work]]
) -> Work:
    """Return the work as `again` reads it when it has ended, or when the time is over."""
    deadline = asyncio.get_running_loop().time() + seconds
    while not ended(work) and asyncio.get_running_loop().time() < deadline:
        await asyncio.sleep(WAIT_STEP_S)
        work = await again()
    return work


def accepted(response: Response, location: str, *, new: bool, ended: bool) -> None:
    """Answer 200 if the work has `ended` while the request waited, else 202. `new`: it was not asked for before."""
    response.headers["Location"] = location
    response.status_code = 200 if ended else 202
    if not new:
        response.headers["Idempotency-Replayed"] = "true"

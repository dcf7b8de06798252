"""Work that a request has started: repeated safely, waited for, found again."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import Annotated, Any, TypeVar

from fastapi import Header, Query, Response

from app.services import Services
from app.storage import jobs
from app.storage.idempotency import Idempotency, payload_hash
from app.storage.jobs import Job
from app.storage.tenancy import TenantNumber
from app.storage.tenants import Tenant

Work = TypeVar("Work")

# A document is often done in no time, a training is not: no wait lasts much longer than its work.
MIN_STEP_S, STEP_GROWTH, MAX_STEP_S = 0.1, 1.25, 1.0
MAX_WAITS = 32
Wait = Annotated[float, Query(ge=0, le=60, description="Seconds to wait for the end")]
IdempotencyKey = Annotated[
    str | None, Header(pattern=r"^[!-~]{1,255}$", description="The same again makes nothing new")
]


_waits: Counter[TenantNumber] = Counter()


def idempotency(key: str | None, route: str, parts: Sequence[Any]) -> Idempotency | None:
    """Return what recognises the same request when it is sent again, if it has a key."""
    return None if key is None else Idempotency(key, payload_hash(route, parts))


async def ended_job(services: Services, tenant: Tenant, job: Job, seconds: float) -> Job:
    """Return the job when it has ended, or when the time is over."""
    return await waited_for(
        tenant,
        job,
        seconds,
        ended=lambda each: each.finished_at is not None,
        again=partial(jobs.read_again, services.database, tenant.number),
    )


async def waited_for(
    tenant: Tenant,
    work: Work,
    seconds: float,
    *,
    ended: Callable[[Work], bool],
    again: Callable[[Work], Awaitable[Work]],
) -> Work:
    """Return the work as `again` reads it when it has ended, or when the time is over.

    A tenant with too many waits under way gets it as it is.
    """
    if seconds == 0 or _waits[tenant.number] >= MAX_WAITS:
        return work
    clock, step_s = asyncio.get_running_loop().time, MIN_STEP_S
    deadline = clock() + seconds
    _waits[tenant.number] += 1
    try:
        while not ended(work) and (left := deadline - clock()) > 0:
            await asyncio.sleep(min(step_s, left))
            work, step_s = await again(work), min(STEP_GROWTH * step_s, MAX_STEP_S)
        return work
    finally:
        _waits[tenant.number] -= 1


def accepted(response: Response, location: str, *, new: bool, ended: bool) -> None:
    """Answer 200 if the work has `ended` while the request waited, else 202. `new`: it was not asked for before."""
    response.headers["Location"] = location
    response.status_code = 200 if ended else 202
    if not new:
        response.headers["Idempotency-Replayed"] = "true"

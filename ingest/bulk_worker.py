"""Ingests the documents of some jobs many at a time, by an engine that takes many, under one claim and one lease.

Nothing rests on the engine. What it does not finish (a node dies, the run is stopped or killed) any worker finishes, or
the next run.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from contextlib import suppress
from typing import Any

from app.errors import DatabaseUnavailable, KyujangError
from app.services import Services
from app.storage.tenancy import TenantNumber
from ingest.jobs import bulk, queue
from ingest.jobs.queue import ClaimedDocument, ClaimedRechunk
from ingest.jobs.retry import handle_failure, refuse_after_too_many
from ingest.pipeline import unless_unchanged
from ingest.worker import run_under_lease

CLAIM_AT_ONCE = 10_000
# How long nothing may move, beyond the time that reading a document may take.
STALL_LIMIT_S = 300
POLL_S = 1.0
RETRY_S = 5

Engine = Callable[[Sequence[ClaimedDocument]], Coroutine[Any, Any, bool]]
"""Ingests claimed documents. False if it broke off, and is to be given at once what it has not finished."""


async def ingest_in_bulk(
    services: Services, tenant: TenantNumber, job_ids: Sequence[str], engine: Engine, complete: asyncio.Event
) -> None:
    """Ingest until each document of these jobs has ended; until `complete` is set, jobs may still be added.

    Raises KyujangError if the engine cannot do it; what has not ended then waits for a worker or for the next run.
    """
    accepted = 0
    while (waiting := len(await queue.unfinished(services.database, "ingest", job_ids))) or not complete.is_set():
        still_growing = waiting != accepted and not complete.is_set()
        accepted = waiting
        if still_growing or not waiting or not await _ingest_claimable(services, tenant, job_ids, engine):
            # Or another run or worker holds the rest, or it waits to be tried again.
            await asyncio.sleep(POLL_S)


async def _ingest_claimable(services: Services, tenant: TenantNumber, job_ids: Sequence[str], engine: Engine) -> bool:
    """Claim what can be claimed, and ingest it; tell whether there was anything."""
    name = f"bulk-{queue.worker_name()}"
    database, lease_s = services.database, services.settings.lease_s
    whole = False
    try:
        # In here, since the database may have made a claim whose answer is not waited for any more.
        claims = await bulk.claim(database, tenant, job_ids, name, lease_s=lease_s, limit=CLAIM_AT_ONCE)
        if not claims:
            return False
        whole = await run_under_lease(_ingest(services, claims, engine), _renewal(services, tenant, name), lease_s)
    finally:
        with suppress(DatabaseUnavailable):  # else the lease runs out
            # What the engine has lost on its way, such as a document whose process died again and again.
            delay_s = RETRY_S if whole else 0
            await bulk.requeue(database, tenant, name, delay_s=delay_s, count_attempt=whole)
    return True


async def _ingest(services: Services, claims: Sequence[ClaimedDocument | ClaimedRechunk], engine: Engine) -> bool:
    new = [complete for claim in claims if (complete := await _unless_ended(services, claim))]
    return await engine(new) if new else True


async def _unless_ended(services: Services, claim: ClaimedDocument | ClaimedRechunk) -> ClaimedDocument | None:
    try:
        refuse_after_too_many(claim)
        return await unless_unchanged(services, claim)
    except Exception as error:
        await handle_failure(services, claim, error)
        return None


def _renewal(services: Services, tenant: TenantNumber, name: str) -> Callable[[], Awaitable[None]]:
    """Return what renews the lease, and raises KyujangError once nothing moves any more."""
    moved: tuple[list[Any], float] = ([], time.monotonic())

    async def renew() -> None:
        nonlocal moved
        held = await bulk.renew(services.database, tenant, name, lease_s=services.settings.lease_s)
        if held != moved[0]:
            moved = (held, time.monotonic())
        elif time.monotonic() - moved[1] > STALL_LIMIT_S + services.settings.load_timeout_s:
            raise KyujangError("The Ray pipeline has stalled; 'ray status' on the cluster may say why.")

    return renew

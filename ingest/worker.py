"""The worker: it claims items of jobs and gives each to the handler of its kind, under a lease."""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import Awaitable, Callable, Collection, Coroutine
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal, TypeVar

from app import logs, tracing
from app.errors import DatabaseUnavailable
from app.services import Services
from app.storage.jobs import JobKind
from app.storage.tenancy import WHOLE, part
from app.storage.usage import payer
from ingest.adapters.check_task import check_adapter, fail_adapter
from ingest.evaluation.evaluate import evaluate
from ingest.jobs import queue
from ingest.jobs.queue import Claimed, ClaimedDocument, ClaimedTask, LeaseLost
from ingest.jobs.retry import OnFailure, handle_failure, refuse_after_too_many
from ingest.pipeline import ingest
from ingest.shelf_map.axes import make_axes
from ingest.shelf_map.layout import lay_out
from ingest.tune.task import tune

log = logging.getLogger("kyujang.worker")

POLL_S = 0.3

T = TypeVar("T")


@dataclass(frozen=True)
class Handler:
    """`run` finishes the item; what it raises fails or requeues it. `on_failure` runs before it is failed. `work` is
    what `KYUJANG_WORK` calls it."""

    run: Callable[[Services, Any], Coroutine[None, None, None]]
    work: Literal["documents", "adapters", "training"]
    on_failure: OnFailure | None = None


# A kind of work is a line here. Of tasks a worker has one of each kind in hand.
HANDLERS: dict[JobKind, Handler] = {
    "ingest": Handler(ingest, "documents"),
    "rechunk": Handler(ingest, "documents"),
    "check": Handler(check_adapter, "adapters", on_failure=fail_adapter),
    "map": Handler(make_axes, "documents"),
    "neighbours": Handler(lay_out, "documents"),
    "evaluate": Handler(evaluate, "adapters"),
    "tune": Handler(tune, "training"),
}


async def run(services: Services, stop: asyncio.Event) -> None:
    """Work until `stop` is set; the items at hand then go back to the queue and resume where they were."""
    worker = queue.worker_name()
    stopping = asyncio.create_task(stop.wait())
    work = services.settings.work.split(",")
    kinds = [kind for kind, handler in HANDLERS.items() if handler.work in work]
    services.metrics.work.serve(kinds)
    async with asyncio.TaskGroup() as group:
        for kind in kinds:
            group.create_task(_serve(services, kind, worker, group, stopping))
    stopping.cancel()


async def _serve(
    services: Services, kind: JobKind, worker: str, group: asyncio.TaskGroup, stopping: asyncio.Task[Any]
) -> None:
    # Several documents, so that the model need not wait while a file is read, and one lane more for small ones.
    lanes = services.settings.documents_at_once + 1 if kind == "ingest" else 1
    at_work: dict[asyncio.Task[Any], Claimed] = {}
    try:
        while not stopping.done():
            free = len(at_work) < lanes
            if free and (claimed := await _claim(services, kind, worker, lanes, at_work.values())) is not None:
                at_work[group.create_task(_carry_out(services, HANDLERS[kind], claimed))] = claimed
                continue
            await asyncio.wait({stopping, *at_work}, timeout=POLL_S if free else None, return_when="FIRST_COMPLETED")
            at_work = {task: claimed for task, claimed in at_work.items() if not task.done()}
    finally:
        for task in at_work:
            task.cancel()
        await asyncio.gather(*at_work, return_exceptions=True)
        for task, claimed in at_work.items():
            # What was cancelled before it began has not given its item back.
            if task.cancelled():
                await _give_back(services, claimed)


async def _claim(
    services: Services, kind: JobKind, worker: str, lanes: int, at_work: Collection[Claimed]
) -> Claimed | None:
    """Claim what the last free lane may take: not one more of a tenant that has all others, nor a large document.

    It stays free for a tenant that comes later, even while none waits: what is claimed is not given back at once.
    """
    held = Counter(each.tenant for each in at_work)
    without = [tenant for tenant, count in held.items() if count >= lanes - 1]
    large = sum(isinstance(each, ClaimedDocument) and not each.is_small for each in at_work)
    small = 0 < lanes - 1 <= large
    lease_s = services.settings.lease_s
    claim = asyncio.ensure_future(
        queue.claim(services.database, worker, kind, lease_s=lease_s, without=without, small=small)
    )
    try:
        return await asyncio.shield(claim)
    except DatabaseUnavailable:
        log.warning("the database does not answer; trying again")
        return None
    except asyncio.CancelledError:
        # The database may have made the claim already.
        with suppress(DatabaseUnavailable):
            if (claimed := await claim) is not None:
                await _give_back(services, claimed)
        raise


async def _give_back(services: Services, claimed: Claimed) -> None:
    with suppress(LeaseLost, DatabaseUnavailable):
        await queue.requeue(services.database, claimed, delay_s=0, count_attempt=False)


async def _carry_out(services: Services, handler: Handler, claimed: Claimed) -> None:
    logs.request_id.set(claimed.job_id)
    logs.tenant_id.set(str(claimed.tenant))
    payer.set((claimed.key_id if isinstance(claimed, ClaimedTask) else None) or "")
    lease_s, work = services.settings.lease_s, services.metrics.work
    if claimed.taken_over:
        work.leases_lost.labels(claimed.kind).inc()
    renew = partial(queue.renew, services.database, claimed, lease_s=lease_s)
    try:
        refuse_after_too_many(claimed)
        with (
            work.in_hand(claimed.kind),
            tracing.asked_by(claimed.traceparent, f"process {claimed.kind}", _attributes(claimed)),
        ):
            await run_under_lease(_within_part(handler, services, claimed), renew, lease_s)
        log.info("done", extra=claimed.described)
        work.attempts.labels(claimed.kind, "done").inc()
    except asyncio.CancelledError:
        await _give_back(services, claimed)
        raise
    except Exception as error:
        await _settle(services, handler, claimed, error)


def _attributes(claimed: Claimed) -> tracing.Attributes:
    return {"kyujang.tenant": int(claimed.tenant), "kyujang.job": claimed.job_id, "kyujang.attempt": claimed.attempt}


async def _within_part(handler: Handler, services: Services, claimed: Claimed) -> None:
    """Let an evaluation see what its key sees; documents are checked where they are published."""
    seen = claimed.bound_to if claimed.kind == "evaluate" else None
    part.set(WHOLE if seen is None else seen)
    await handler.run(services, claimed)


async def _settle(services: Services, handler: Handler, claimed: Claimed, error: Exception) -> None:
    """Outlast a restart of the database, which must not cost an attempt, as the end of the lease does."""
    while True:
        try:
            return await handle_failure(services, claimed, error, on_failure=handler.on_failure)
        except DatabaseUnavailable as gone:
            error = gone
            await asyncio.sleep(POLL_S)


async def run_under_lease(work: Coroutine[Any, Any, T], renew: Callable[[], Awaitable[Any]], lease_s: float) -> T:
    """Raises what the work raises, or what `renew` raises, LeaseLost above all; the work has ended then."""
    task = asyncio.create_task(work)
    try:
        while not (await asyncio.wait({task}, timeout=lease_s / 3))[0]:
            try:
                await renew()
            except DatabaseUnavailable:
                log.warning("the lease could not be renewed")
        return task.result()
    finally:
        if not task.done():
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

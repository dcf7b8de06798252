"""The worker: pools that claim items of jobs and give each to the handler of its kind."""

from __future__ import annotations

import asyncio
import functools
import logging
import os
import secrets
import socket
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass
from typing import Any

from app import logs
from app.errors import DatabaseUnavailable
from app.services import Services
from app.storage.jobs import JobKind
from ingest.adapters.check_task import check_adapter, fail_adapter
from ingest.adapters.evaluating import evaluate
from ingest.jobs import queue
from ingest.jobs.lease import Stopping, run_under_lease
from ingest.jobs.queue import Claimed
from ingest.jobs.retry import OnFailure, handle_failure, refuse_after_too_many, requeue
from ingest.pipeline import ingest
from ingest.tune.task import tune

log = logging.getLogger("kyujang.worker")

POLL_S = 0.3


@dataclass(frozen=True)
class Handler:
    """`run` finishes the item; what it raises fails or requeues it. `on_failure` runs before it is failed."""

    run: Callable[[Services, Any], Coroutine[None, None, None]]
    on_failure: OnFailure | None = None


Pool = Mapping[JobKind, Handler]
# As many of these as documents are ingested at once, so that the model need not wait while a file is read.
DOCUMENT_POOL: Pool = {"ingest": Handler(ingest)}
# One item at a time each. A kind of task is a line here.
TASK_POOLS: dict[str, Pool] = {
    "short": {"check": Handler(check_adapter, on_failure=fail_adapter), "evaluate": Handler(evaluate)},
    "training": {"tune": Handler(tune)},
}


async def run(services: Services, stop: asyncio.Event) -> None:
    """Work until `stop` is set; the items at hand then go back to the queue and resume where they were."""
    name = f"{socket.gethostname()}-{os.getpid()}-{secrets.token_hex(3)}"
    pools = {str(number): DOCUMENT_POOL for number in range(services.settings.documents_at_once)} | TASK_POOLS
    stopping = asyncio.create_task(stop.wait())
    async with asyncio.TaskGroup() as group:
        for each, pool in pools.items():
            group.create_task(_serve(services, pool, f"{name}-{each}", stopping))
    stopping.cancel()


async def _serve(services: Services, pool: Pool, name: str, stopping: asyncio.Task[bool]) -> None:
    while not stopping.done():
        try:
            claimed = await queue.claim(services.database, name, list(pool), lease_s=services.settings.lease_s)
        except DatabaseUnavailable:
            log.warning("the database does not answer; trying again")
            claimed = None
        if claimed is None:
            await asyncio.wait({stopping}, timeout=POLL_S)
            continue
        await _carry_out(services, pool[claimed.kind], claimed, stopping)


async def _carry_out(services: Services, handler: Handler, claimed: Claimed, stopping: asyncio.Task[bool]) -> None:
    logs.request_id.set(claimed.job_id)
    logs.tenant_id.set(str(claimed.tenant))
    try:
        refuse_after_too_many(claimed)
        lease_s = services.settings.lease_s
        renew = functools.partial(queue.renew, services.database, claimed, lease_s=lease_s)
        await run_under_lease(handler.run(services, claimed), renew, lease_s=lease_s, stopping=stopping)
        log.info("done", extra=claimed.described)
    except DatabaseUnavailable:
        log.warning("waiting for the database", extra=claimed.described)
        # A restart of it must not cost an attempt, which the end of the lease does.
        while not await requeue(services, claimed, delay_s=0, count_attempt=False) and not stopping.done():
            await asyncio.wait({stopping}, timeout=POLL_S)
    except (Stopping, asyncio.CancelledError) as error:
        await requeue(services, claimed, delay_s=0, count_attempt=False)
        if isinstance(error, asyncio.CancelledError):
            raise
    except Exception as error:
        await handle_failure(services, claimed, error, on_failure=handler.on_failure)

"""`python -m ingest add … --engine ray`: accepted documents, taken in by a Ray Data pipeline over a cluster.

Nothing rests on Ray. The documents are accepted in the database before, this run claims them under a lease, and what
it does not end (a node dies, the run is stopped or killed) any worker ends, or the next run.
"""

from __future__ import annotations

import asyncio
import logging
import os
import secrets
import socket
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Any

from pydantic import SecretStr

from app.bootstrap import open_services
from app.errors import DatabaseUnavailable, KyujangError
from app.services import Services
from app.settings import Settings
from app.storage.tenants import tenant_by_slug
from app.tenancy import TenantNumber
from ingest.cluster.driver import Driver, DriverEnded
from ingest.jobs import bulk
from ingest.jobs.bulk import RunProgress
from ingest.jobs.queue import ClaimedDocument
from ingest.jobs.retry import handle_failure, refuse_after_too_many
from ingest.pipeline import DocumentState, end_unchanged
from ingest.sync.folder import Source
from ingest.sync.in_database import InPlace

log = logging.getLogger("kyujang.ray")

CLAIM_AT_ONCE = 10_000
# Beyond this and the time that reading a document may take.
STALL_LIMIT_S = 300
DRIVERS = 2
POLL_S = 1.0
RETRY_S = 5
AGAIN = "Ray ended the process that it was used in; it is tried once more"
ENDED = (
    "Ray ended the process that it was used in, {times} times. Its logs may say why, by default under "
    "/tmp/ray/session_latest/logs. Run the same command again: it goes on where this one was."
)


class ForRay(InPlace):
    """Accepts all it can before Ray begins: to start the stages takes longer than many a document."""

    batch = 500
    window = CLAIM_AT_ONCE

    def __init__(self, services: Services, tenant: TenantNumber) -> None:
        super().__init__(services, tenant, None)
        self.accepted: list[str] = []

    async def accept(self, sources: Sequence[Source], metadata: dict[str, Any] | None) -> str:
        job = await super().accept(sources, metadata)
        self.accepted.append(job)
        return job


@asynccontextmanager
async def open_for_ray(settings: Settings, tenant: str, *, address: str | None, work: bool) -> AsyncIterator[ForRay]:
    """With `work` a Ray cluster takes in what is accepted. Raises KyujangError."""
    # Neither ranks nor generates.
    settings = settings.model_copy(update={"reranker": None, "engine": "none"})
    async with open_services(settings) as services:
        number = (await tenant_by_slug(services.database, tenant)).number
        target, all_there = ForRay(services, number), asyncio.Event()
        try:
            async with asyncio.TaskGroup() as group:
                if work:
                    run = take_in(services, number, target.accepted, address=address, all_there=all_there)
                    group.create_task(run)
                yield target
                all_there.set()
        except ExceptionGroup as errors:
            raise errors.exceptions[0] from None


async def take_in(
    services: Services, tenant: TenantNumber, job_ids: Sequence[str], *, address: str | None, all_there: asyncio.Event
) -> None:
    """Until each document of these jobs has ended; until `all_there`, jobs may still be added.

    Raises KyujangError if the cluster cannot do it; what has not ended then waits for a worker or for the next run.
    """
    driver = Driver(address)
    try:
        run = _Run(services, tenant, job_ids, driver)
        gathered = 0
        while (waiting := await bulk.unfinished(services.database, tenant, job_ids)) or not all_there.is_set():
            still_growing = waiting != gathered and not all_there.is_set()
            gathered = waiting
            if still_growing or not waiting or not await run.round():
                # Or another run or worker holds the rest, or it waits to be tried again.
                await asyncio.sleep(POLL_S)
    finally:
        await driver.close()


@dataclass
class _Run:
    services: Services
    tenant: TenantNumber
    job_ids: Sequence[str]
    driver: Driver
    ended: int = 0
    """How often Ray's driver has."""

    async def round(self) -> bool:
        """Claims what can be claimed and takes it in. False if there was nothing."""
        worker = f"ray-{socket.gethostname()}-{os.getpid()}-{secrets.token_hex(3)}"
        database, lease_s = self.services.database, self.services.settings.lease_s
        works = await bulk.claim(database, self.tenant, self.job_ids, worker, lease_s=lease_s, limit=CLAIM_AT_ONCE)
        if not works:
            return False
        whole = False
        task = asyncio.create_task(self._take(works))
        try:
            await self._run_under_lease(task, worker)
            whole = True
        except DriverEnded:
            self.ended += 1
            if self.ended == DRIVERS:
                raise KyujangError(ENDED.format(times=DRIVERS)) from None
            log.warning(AGAIN)
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            with suppress(DatabaseUnavailable):  # else the lease runs out
                # What the pipeline has lost on its way, such as a document whose process died again and again.
                delay_s = RETRY_S if whole else 0
                await bulk.requeue(database, self.tenant, worker, delay_s=delay_s, count_attempt=whole)
        return True

    async def _run_under_lease(self, task: asyncio.Task[None], worker: str) -> None:
        settings = self.services.settings
        seen, seen_at = RunProgress(0, 0, 0), time.monotonic()
        while not (await asyncio.wait({task}, timeout=settings.lease_s / 3))[0]:
            try:
                held = await bulk.renew(self.services.database, self.tenant, worker, lease_s=settings.lease_s)
            except DatabaseUnavailable:
                log.warning("the lease could not be renewed")
                continue
            if held != seen:
                seen, seen_at = held, time.monotonic()
            elif time.monotonic() - seen_at > STALL_LIMIT_S + settings.load_timeout_s:
                raise KyujangError("The Ray pipeline has stalled; 'ray status' on the cluster may say why.")
        task.result()

    async def _take(self, works: Sequence[ClaimedDocument]) -> None:
        fresh = [work for work in works if not await self._ended_already(work)]
        if not fresh:
            return
        broken = await self.driver.ingest(node_settings(self.services.settings), fresh)
        if broken:
            raise KyujangError(f"A Ray node cannot ingest documents. {broken}")

    async def _ended_already(self, work: ClaimedDocument) -> bool:
        try:
            refuse_after_too_many(work)
            return await end_unchanged(self.services, DocumentState(work))
        except Exception as error:
            await handle_failure(self.services, work, error)
            return True


def node_settings(settings: Settings) -> Settings:
    """What the stages need and no secret beyond: neither the owner of the schema nor the operator's key leaves here."""
    return settings.model_copy(
        update={
            "service_database_url": SecretStr(settings.service_url),
            "database_url": None,
            "database_pool": 2,
            "admin_key": None,
            "llm_key": None,
            "key": None,
            "reranker": None,
            "reranker_key": None,
            "engine": "none",
            "index": "pgvector",
        }
    )

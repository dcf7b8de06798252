"""Ingests the documents of some jobs many at a time, by an engine that takes many, under one claim and one lease.

Nothing rests on the engine. What it does not finish (a node dies, the run is stopped or killed) any worker finishes, or
the next run.
"""

from __future__ import annotations

import asyncio
import os
import secrets
import socket
import time
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from app.errors import DatabaseUnavailable, KyujangError
from app.services import Services
from app.storage.tenancy import TenantNumber
from ingest.jobs import bulk
from ingest.jobs.bulk import RunProgress
from ingest.jobs.lease import run_under_lease
from ingest.jobs.queue import ClaimedDocument
from ingest.jobs.retry import handle_failure, refuse_after_too_many
from ingest.pipeline import DocumentState, end_unchanged

CLAIM_AT_ONCE = 10_000
# How long nothing may move, beyond the time that reading a document may take.
STALL_LIMIT_S = 300
POLL_S = 1.0
RETRY_S = 5

Engine = Callable[[Sequence[ClaimedDocument]], Coroutine[Any, Any, bool]]
"""Ingests claimed documents. False if it broke off, and is to be given at once what it has not finished."""


@dataclass(frozen=True)
class BulkWorker:
    services: Services
    tenant: TenantNumber
    job_ids: Sequence[str]
    engine: Engine

    async def run(self, complete: asyncio.Event) -> None:
        """Ingest until each document of these jobs has ended; until `complete` is set, jobs may still be added.

        Raises KyujangError if the engine cannot do it; what has not ended then waits for a worker or for the next run.
        """
        accepted = 0
        while (waiting := await self._unfinished()) or not complete.is_set():
            still_growing = waiting != accepted and not complete.is_set()
            accepted = waiting
            if still_growing or not waiting or not await self._ingest_claimable():
                # Or another run or worker holds the rest, or it waits to be tried again.
                await asyncio.sleep(POLL_S)

    async def _unfinished(self) -> int:
        return await bulk.unfinished(self.services.database, self.tenant, self.job_ids)

    async def _ingest_claimable(self) -> bool:
        """Claim what can be claimed, and ingest it; tell whether there was anything."""
        name = f"bulk-{socket.gethostname()}-{os.getpid()}-{secrets.token_hex(3)}"
        database, lease_s = self.services.database, self.services.settings.lease_s
        claims = await bulk.claim(database, self.tenant, self.job_ids, name, lease_s=lease_s, limit=CLAIM_AT_ONCE)
        if not claims:
            return False
        whole = False
        try:
            whole = await run_under_lease(self._ingest(claims), self._renewal(name), lease_s=lease_s)
        finally:
            with suppress(DatabaseUnavailable):  # else the lease runs out
                # What the engine has lost on its way, such as a document whose process died again and again.
                delay_s = RETRY_S if whole else 0
                await bulk.requeue(database, self.tenant, name, delay_s=delay_s, count_attempt=whole)
        return True

    async def _ingest(self, claims: Sequence[ClaimedDocument]) -> bool:
        new = [claim for claim in claims if not await self._ended_already(claim)]
        return await self.engine(new) if new else True

    async def _ended_already(self, claim: ClaimedDocument) -> bool:
        try:
            refuse_after_too_many(claim)
            return await end_unchanged(self.services, DocumentState(claim))
        except Exception as error:
            await handle_failure(self.services, claim, error)
            return True

    def _renewal(self, name: str) -> Callable[[], Awaitable[None]]:
        """Return what renews the lease, and raises KyujangError once nothing moves any more."""
        settings = self.services.settings
        seen, seen_at = RunProgress(0, 0, 0), time.monotonic()

        async def renew() -> None:
            nonlocal seen, seen_at
            progress = await bulk.renew(self.services.database, self.tenant, name, lease_s=settings.lease_s)
            if progress != seen:
                seen, seen_at = progress, time.monotonic()
            elif time.monotonic() - seen_at > STALL_LIMIT_S + settings.load_timeout_s:
                raise KyujangError("The Ray pipeline has stalled; 'ray status' on the cluster may say why.")

        return renew

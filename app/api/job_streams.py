"""Streams of jobs: however many show a job, it is read once a second."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncGenerator
from dataclasses import replace
from itertools import zip_longest
from time import monotonic
from typing import Any
from weakref import WeakValueDictionary

from app.api.schemas import JobOut
from app.api.sse import Event
from app.errors import TooManyRequests
from app.stopping import Stopping
from app.storage import jobs
from app.storage.database import Database
from app.storage.jobs import Job
from app.storage.tenancy import TenantNumber, part

EVERY_S = 1.0
MAX_STREAMS = 10


class SharedJob:
    """A job as it was at most a second ago."""

    def __init__(self, database: Database, tenant: TenantNumber, job: Job) -> None:
        self._database, self._tenant, self._job = database, tenant, job
        self._read_at = monotonic()
        self._reading = asyncio.Lock()

    async def read(self) -> Job:
        """Raises NotFound if it is gone with its tenant."""
        async with self._reading:
            if monotonic() - self._read_at >= EVERY_S:
                self._job = await jobs.read_again(self._database, self._tenant, self._job)
                self._read_at = monotonic()
            return self._job


class JobStreams:
    """Those of an API process."""

    def __init__(self, stopping: Stopping) -> None:
        self._stopping = stopping
        self._open: Counter[TenantNumber] = Counter()
        self._shared: WeakValueDictionary[tuple[TenantNumber, str, str], SharedJob] = WeakValueDictionary()

    def refuse_if_full(self, tenant: TenantNumber) -> None:
        """Raise TooManyRequests if the tenant has as many streams open as it may."""
        if self._open[tenant] >= MAX_STREAMS:
            raise TooManyRequests(
                f"{MAX_STREAMS} streams of this tenant's jobs are open, the most at a time. Close some, or ask for the "
                "job itself."
            )

    async def events(self, database: Database, tenant: TenantNumber, job: Job) -> AsyncGenerator[Event]:
        """Yield the counts and the documents that have changed, at the end the whole job. Raises TooManyRequests.

        A process that stops waits for no job: its streams end, and are opened again at another one.
        """
        self.refuse_if_full(tenant)
        self._open[tenant] += 1
        try:
            shared = self._shared.setdefault((tenant, part.get(), job.id), SharedJob(database, tenant, job))
            known: Job | None = None
            while job.finished_at is None:
                if known is None:
                    yield "progress", body(job)
                elif job != known:
                    # It may have grown by what its documents hold.
                    pairs = zip_longest(job.documents, known.documents)
                    changed = [item for item, old in pairs if item is not None and item != old]
                    yield "progress", body(replace(job, documents=changed))
                known = job
                await asyncio.sleep(EVERY_S)
                if self._stopping.closed:
                    return
                job = await shared.read()
            yield "done", body(job)
        finally:
            self._open[tenant] -= 1


def body(job: Job) -> dict[str, Any]:
    return JobOut.model_validate(job, from_attributes=True).model_dump(mode="json")

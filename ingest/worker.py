"""The worker: claims documents, a few at a time, and takes each the way of ingest/pipeline.py; tasks beside them."""

from __future__ import annotations

import asyncio
import functools
import logging
import os
import secrets
import socket

from app import logs
from app.errors import DatabaseUnavailable
from app.services import Services
from ingest.jobs import queue
from ingest.jobs.lease import Stopping, run_under_lease
from ingest.jobs.queue import ClaimedDocument, LeaseLost
from ingest.jobs.retry import handle_failure, refuse_after_too_many, requeue
from ingest.pipeline import DocumentState, ingest
from ingest.task_worker import TASK_POOLS, serve

log = logging.getLogger("kyujang.worker")

POLL_S = 0.3


async def run(services: Services, stop: asyncio.Event) -> None:
    """Until `stop` is set; the documents at hand then go back to the queue and resume where they were.

    Several at once, so that the model need not wait while a file is read or chunks are stored.
    """
    name = f"{socket.gethostname()}-{os.getpid()}-{secrets.token_hex(3)}"
    stopping = asyncio.create_task(stop.wait())
    async with asyncio.TaskGroup() as group:
        for number in range(services.settings.documents_at_once):
            group.create_task(_serve(services, f"{name}-{number}", stopping))
        for kinds in TASK_POOLS:
            group.create_task(serve(services, kinds, f"{name}-{kinds[0]}", stopping))
    stopping.cancel()


async def _serve(services: Services, name: str, stopping: asyncio.Task[bool]) -> None:
    while not stopping.done():
        try:
            work = await queue.claim(services.database, name, lease_s=services.settings.lease_s)
        except DatabaseUnavailable:
            log.warning("the database does not answer; trying again")
            work = None
        if work is None:
            await asyncio.wait({stopping}, timeout=POLL_S)
            continue
        await _carry_out(services, work, stopping)


async def _carry_out(services: Services, work: ClaimedDocument, stopping: asyncio.Task[bool]) -> None:
    logs.request_id.set(work.job_id)
    logs.tenant_id.set(str(work.tenant))
    try:
        refuse_after_too_many(work)
        lease_s = services.settings.lease_s
        renew = functools.partial(queue.renew, services.database, work, lease_s=lease_s)
        await run_under_lease(ingest(services, DocumentState(work)), renew, lease_s=lease_s, stopping=stopping)
        log.info("document done", extra={"document": work.document_id, "attempt": work.attempt})
    except DatabaseUnavailable:
        log.warning("document waits for the database", extra={"document": work.document_id})
        await _requeue_once_possible(services, work, stopping)
    except (Stopping, asyncio.CancelledError) as error:
        await requeue(services, work, delay_s=0, count_attempt=False)
        if isinstance(error, asyncio.CancelledError):
            raise
    except Exception as error:
        await handle_failure(services, work, error)


async def _requeue_once_possible(services: Services, work: ClaimedDocument, stopping: asyncio.Task[bool]) -> None:
    """A restart of the database is nobody's fault, so it must not cost an attempt, which the end of a lease does."""
    while not stopping.done():
        try:
            return await queue.requeue(services.database, work, delay_s=0, count_attempt=False)
        except LeaseLost:
            return None
        except DatabaseUnavailable:
            await asyncio.wait({stopping}, timeout=POLL_S)
    return None

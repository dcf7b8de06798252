"""The worker: claims documents one at a time and takes each the way of ingest/pipeline.py."""

from __future__ import annotations

import asyncio
import logging
import os
import secrets
import socket

from app import logs
from app.errors import DatabaseUnavailable, DocumentError, EmbedderUnavailable, Unavailable
from app.lexicon import OtherScheme
from app.services import Services
from app.spaces import OtherSpace
from ingest import jobs
from ingest.jobs import MAX_ATTEMPTS, LeaseLost, Work
from ingest.pipeline import ingest

log = logging.getLogger("kyujang.worker")

POLL_S = 0.3
RETRY_DELAYS_S = (1, 5, 15, 60)


async def run(services: Services, stop: asyncio.Event) -> None:
    """Until `stop` is set; the documents at hand then go back to the queue and resume where they were.

    Several at once, so that the model need not wait while a file is read or chunks are stored.
    """
    name = f"{socket.gethostname()}-{os.getpid()}-{secrets.token_hex(3)}"
    stopping = asyncio.create_task(stop.wait())
    async with asyncio.TaskGroup() as group:
        for lane in range(services.settings.documents_at_once):
            group.create_task(_serve(services, f"{name}-{lane}", stopping))
    stopping.cancel()


async def _serve(services: Services, name: str, stopping: asyncio.Task[bool]) -> None:
    while not stopping.done():
        try:
            work = await jobs.claim(services.database, name, lease_s=services.settings.lease_s)
        except DatabaseUnavailable:
            log.warning("the database does not answer; trying again")
            work = None
        if work is None:
            await asyncio.wait({stopping}, timeout=POLL_S)
            continue
        await _carry_out(services, work, stopping)


async def _carry_out(services: Services, work: Work, stopping: asyncio.Task[bool]) -> None:
    logs.request_id.set(work.job_id)
    logs.tenant_id.set(str(work.tenant))
    try:
        if work.attempt > MAX_ATTEMPTS:
            raise DocumentError("internal", f"The worker died {MAX_ATTEMPTS} times while it took in this document.")
        await _while_leased(services, work, stopping)
        log.info("document done", extra={"document": work.document_id, "attempt": work.attempt})
    except LeaseLost:
        log.info("document cancelled or taken over", extra={"document": work.document_id})
    except OtherSpace:
        log.warning("embedding model switched", extra={"document": work.document_id, "cause": services.spaces.behind})
        await _give_back(services, work, delay_s=RETRY_DELAYS_S[1] if services.spaces.behind else 0, blameless=True)
    except OtherScheme:
        log.error("KYUJANG_LEXICAL has changed: restart this worker", extra={"document": work.document_id})
        await _give_back(services, work, delay_s=RETRY_DELAYS_S[-1], blameless=True)
    except DocumentError as error:
        await _end_badly(services, work, error)
    except DatabaseUnavailable:
        log.warning("document waits for the database", extra={"document": work.document_id})
        await _give_back_once_possible(services, work, stopping)
    except asyncio.CancelledError:
        await _give_back(services, work, delay_s=0, blameless=True)
        raise
    except Exception as error:
        await _try_later(services, work, error)


async def _try_later(services: Services, work: Work, error: Exception) -> None:
    if isinstance(error, EmbedderUnavailable) and not await _embedder_answers(services):
        # No fault of the document: it waits for as long as it takes.
        log.warning("document waits", extra={"document": work.document_id, "reason": error.detail})
        return await _give_back(services, work, delay_s=RETRY_DELAYS_S[1], blameless=True)
    log.error("document failed", exc_info=error, extra={"document": work.document_id, "attempt": work.attempt})
    if work.attempt < MAX_ATTEMPTS:
        return await _give_back(services, work, delay_s=RETRY_DELAYS_S[work.attempt - 1])
    return await _end_badly(
        services, work, DocumentError("internal", "Kyujang failed on this document; the log says why.")
    )


async def _embedder_answers(services: Services) -> bool:
    try:
        await services.spaces.current.embedder.embed(["ready?"], "passage")
    except Unavailable:
        return False
    return True


async def _while_leased(services: Services, work: Work, stopping: asyncio.Task[bool]) -> None:
    """Renews the lease until the work is done. Raises what the work raises, LeaseLost included."""
    task = asyncio.create_task(ingest(services, work))
    try:
        while True:
            await asyncio.wait({task, stopping}, timeout=services.settings.lease_s / 3, return_when="FIRST_COMPLETED")
            if task.done():
                return task.result()
            if stopping.done():
                await _give_back(services, work, delay_s=0, blameless=True)
                raise LeaseLost
            try:
                await jobs.renew(services.database, work, lease_s=services.settings.lease_s)
            except DatabaseUnavailable:
                log.warning("the lease could not be renewed")
    finally:
        if not task.done():
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)


async def _end_badly(services: Services, work: Work, error: DocumentError) -> None:
    log.info("document refused", extra={"document": work.document_id, "code": error.document_code})
    try:
        await jobs.fail(services.database, work, error.document_code, error.detail)
    except (LeaseLost, DatabaseUnavailable):
        return
    await services.blobs.remove([work.blob])


async def _give_back(services: Services, work: Work, *, delay_s: float, blameless: bool = False) -> None:
    """If even this fails, the lease runs out and another worker takes the document."""
    try:
        await jobs.retry_later(services.database, work, delay_s=delay_s, blameless=blameless)
    except (LeaseLost, DatabaseUnavailable):
        log.info("document left to its lease", extra={"document": work.document_id})


async def _give_back_once_possible(services: Services, work: Work, stopping: asyncio.Task[bool]) -> None:
    """A restart of the database is nobody's fault, so it must not cost an attempt, which the end of a lease does."""
    while not stopping.done():
        try:
            return await jobs.retry_later(services.database, work, delay_s=0, blameless=True)
        except LeaseLost:
            return None
        except DatabaseUnavailable:
            await asyncio.wait({stopping}, timeout=POLL_S)
    return None

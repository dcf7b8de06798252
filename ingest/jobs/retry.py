"""What becomes of a claimed document when something was raised on its way: it ends, or goes back to the queue."""

from __future__ import annotations

import logging

from app.errors import DatabaseUnavailable, DocumentError, EmbedderUnavailable, Unavailable
from app.services import Services
from app.storage.postings import OtherScheme
from app.storage.spaces import OtherSpace
from ingest.jobs import queue
from ingest.jobs.queue import MAX_ATTEMPTS, ClaimedDocument, LeaseLost

log = logging.getLogger("kyujang.worker")

RETRY_DELAYS_S = (1, 5, 15, 60)


async def handle_failure(services: Services, work: ClaimedDocument, error: Exception) -> None:
    """What is wrong with the document itself ends it; other faults pass, or count as an attempt."""
    if isinstance(error, LeaseLost):
        log.info("document cancelled or taken over", extra={"document": work.document_id})
    elif isinstance(error, OtherSpace):
        log.warning("embedding model switched", extra={"document": work.document_id, "cause": services.spaces.behind})
        await requeue(services, work, delay_s=RETRY_DELAYS_S[1] if services.spaces.behind else 0, count_attempt=False)
    elif isinstance(error, OtherScheme):
        log.error("KYUJANG_LEXICAL has changed: restart this worker", extra={"document": work.document_id})
        await requeue(services, work, delay_s=RETRY_DELAYS_S[-1], count_attempt=False)
    elif isinstance(error, DocumentError):
        await fail(services, work, error)
    elif isinstance(error, EmbedderUnavailable) and not await _embedder_answers(services):
        # No fault of the document: it waits for as long as it takes.
        log.warning("document waits", extra={"document": work.document_id, "reason": error.detail})
        await requeue(services, work, delay_s=RETRY_DELAYS_S[1], count_attempt=False)
    else:
        log.error("document failed", exc_info=error, extra={"document": work.document_id, "attempt": work.attempt})
        if work.attempt < MAX_ATTEMPTS:
            return await requeue(services, work, delay_s=RETRY_DELAYS_S[work.attempt - 1])
        await fail(services, work, DocumentError("internal", "Kyujang failed on this document; the log says why."))


async def fail(services: Services, work: ClaimedDocument, error: DocumentError) -> None:
    log.info("document refused", extra={"document": work.document_id, "code": error.document_code})
    try:
        await queue.fail(services.database, work, error.document_code, error.detail)
    except (LeaseLost, DatabaseUnavailable):
        return
    await services.blobs.remove([work.blob])


async def requeue(services: Services, work: ClaimedDocument, *, delay_s: float, count_attempt: bool = True) -> None:
    """If even this fails, the lease runs out and another worker takes the document."""
    try:
        await queue.requeue(services.database, work, delay_s=delay_s, count_attempt=count_attempt)
    except (LeaseLost, DatabaseUnavailable):
        log.info("document left to its lease", extra={"document": work.document_id})


def refuse_after_too_many(work: ClaimedDocument) -> None:
    if work.attempt > MAX_ATTEMPTS:
        raise DocumentError("internal", f"The worker died {MAX_ATTEMPTS} times while ingesting this document.")


async def _embedder_answers(services: Services) -> bool:
    try:
        await services.spaces.current.embedder.embed(["ready?"], "passage")
    except Unavailable:
        return False
    return True

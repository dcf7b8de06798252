"""What becomes of a claimed document when something was raised on its way: it ends, or goes back to the queue."""

from __future__ import annotations

import logging

from app.errors import DatabaseUnavailable, DocumentError, EmbedderUnavailable, Unavailable
from app.services import Services
from app.storage.postings import OtherScheme
from app.storage.spaces import OtherSpace
from ingest.jobs import documents
from ingest.jobs.documents import MAX_ATTEMPTS, LeaseLost, Work

log = logging.getLogger("kyujang.worker")

RETRY_DELAYS_S = (1, 5, 15, 60)


async def settle(services: Services, work: Work, error: Exception) -> None:
    """What is wrong with the document itself ends it; other faults pass, or count as an attempt."""
    if isinstance(error, LeaseLost):
        log.info("document cancelled or taken over", extra={"document": work.document_id})
    elif isinstance(error, OtherSpace):
        log.warning("embedding model switched", extra={"document": work.document_id, "cause": services.spaces.behind})
        await give_back(services, work, delay_s=RETRY_DELAYS_S[1] if services.spaces.behind else 0, blameless=True)
    elif isinstance(error, OtherScheme):
        log.error("KYUJANG_LEXICAL has changed: restart this worker", extra={"document": work.document_id})
        await give_back(services, work, delay_s=RETRY_DELAYS_S[-1], blameless=True)
    elif isinstance(error, DocumentError):
        await end_badly(services, work, error)
    elif isinstance(error, EmbedderUnavailable) and not await _embedder_answers(services):
        # No fault of the document: it waits for as long as it takes.
        log.warning("document waits", extra={"document": work.document_id, "reason": error.detail})
        await give_back(services, work, delay_s=RETRY_DELAYS_S[1], blameless=True)
    else:
        log.error("document failed", exc_info=error, extra={"document": work.document_id, "attempt": work.attempt})
        if work.attempt < MAX_ATTEMPTS:
            return await give_back(services, work, delay_s=RETRY_DELAYS_S[work.attempt - 1])
        await end_badly(services, work, DocumentError("internal", "Kyujang failed on this document; the log says why."))


async def end_badly(services: Services, work: Work, error: DocumentError) -> None:
    log.info("document refused", extra={"document": work.document_id, "code": error.document_code})
    try:
        await documents.fail(services.database, work, error.document_code, error.detail)
    except (LeaseLost, DatabaseUnavailable):
        return
    await services.blobs.remove([work.blob])


async def give_back(services: Services, work: Work, *, delay_s: float, blameless: bool = False) -> None:
    """If even this fails, the lease runs out and another worker takes the document."""
    try:
        await documents.retry_later(services.database, work, delay_s=delay_s, blameless=blameless)
    except (LeaseLost, DatabaseUnavailable):
        log.info("document left to its lease", extra={"document": work.document_id})


def refuse_after_too_many(work: Work) -> None:
    if work.attempt > MAX_ATTEMPTS:
        raise DocumentError("internal", f"The worker died {MAX_ATTEMPTS} times while ingesting this document.")


async def _embedder_answers(services: Services) -> bool:
    try:
        await services.spaces.current.embedder.embed(["ready?"], "passage")
    except Unavailable:
        return False
    return True

"""The failure policy: what becomes of a claimed item when something was raised on its way."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from typing import Any

from app.errors import DatabaseUnavailable, EmbedderUnavailable, ItemFailed, KyujangError, Unavailable
from app.services import Services
from app.storage.postings import OtherScheme
from app.storage.spaces import OtherSpace
from ingest.jobs import queue
from ingest.jobs.queue import MAX_ATTEMPTS, Claimed, LeaseLost, TaskFailed, TurnOver

log = logging.getLogger("kyujang.worker")

RETRY_DELAYS_S = (1, 5, 15, 60)
WAIT_S = 5

OnFailure = Callable[[Services, Any, str], Awaitable[None]]


async def handle_failure(
    services: Services, claimed: Claimed, error: Exception, *, on_failure: OnFailure | None = None
) -> None:
    """Fail an item by its own fault, requeue it while it waits for something, and retry it after any other fault.

    Raises DatabaseUnavailable: after the lease another worker takes the item over.
    """
    try:
        if isinstance(error, LeaseLost):
            raise error
        if isinstance(error, TurnOver):
            _count(services, claimed, "turn_over")
            log.info("waits for its next turn", extra=claimed.described)
            await queue.requeue(services.database, claimed, delay_s=0, count_attempt=False)
        elif isinstance(error, ItemFailed):
            _count(services, claimed, "refused")
            await _fail(services, claimed, error, on_failure)
        elif (delay_s := await _outage_s(services, error)) is not None:
            log.warning("waiting", extra={**claimed.described, "reason": str(error)})
            _count(services, claimed, "waiting")
            await queue.requeue(services.database, claimed, delay_s=delay_s, count_attempt=False)
        else:
            log.error("failed", exc_info=error, extra=claimed.described)
            _count(services, claimed, "failed")
            if claimed.attempts_in_vain < MAX_ATTEMPTS:
                delay_s = RETRY_DELAYS_S[claimed.attempts_in_vain - 1]
                await queue.requeue(services.database, claimed, delay_s=delay_s)
            else:
                detail = (
                    error.detail if isinstance(error, KyujangError) else "Kyujang failed at this; the log says why."
                )
                await _fail(services, claimed, TaskFailed("internal", detail), on_failure)
    except LeaseLost:
        log.info("cancelled or taken over", extra=claimed.described)
        _count(services, claimed, "cut_off")


def _count(services: Services, claimed: Claimed, outcome: str) -> None:
    services.metrics.work.attempts.labels(claimed.kind, outcome).inc()


def refuse_after_too_many(claimed: Claimed) -> None:
    if claimed.attempts_in_vain > MAX_ATTEMPTS:
        raise TaskFailed("internal", f"The worker died {MAX_ATTEMPTS} times while it worked on this.")


async def _fail(services: Services, claimed: Claimed, error: ItemFailed, on_failure: OnFailure | None) -> None:
    log.info("refused", extra={**claimed.described, "code": error.item_code})
    if on_failure is not None:
        await on_failure(services, claimed, error.detail)
    await queue.fail(services.database, claimed, error.item_code, error.detail)
    services.metrics.work.refused.labels(claimed.kind, error.item_code).inc()


async def _outage_s(services: Services, error: Exception) -> float | None:
    """Return the seconds to wait for what is unavailable or being changed, None if the item itself is at fault."""
    if isinstance(error, DatabaseUnavailable):
        return 0
    if isinstance(error, OtherSpace):
        return WAIT_S if services.spaces.stale_reason else 0
    if isinstance(error, OtherScheme):
        log.error("KYUJANG_LEXICAL has changed: restart this worker")
        return RETRY_DELAYS_S[-1]
    if isinstance(error, EmbedderUnavailable):
        try:
            await services.spaces.current.embedder.embed(["ready?"], "passage")
        except Unavailable:
            return WAIT_S
        return None
    return WAIT_S if isinstance(error, Unavailable) else None

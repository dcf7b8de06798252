"""The worker's lanes for tasks: one for what is short, one for training, beside those for documents."""

from __future__ import annotations

import asyncio
import functools
import logging
from collections.abc import Callable, Coroutine

from app import logs
from app.errors import DatabaseUnavailable, KyujangError, Unavailable
from app.services import Services
from app.storage.tasks import TaskKind
from ingest.adapters import pipeline
from ingest.adapters.evaluating import evaluate
from ingest.jobs import tasks
from ingest.jobs.documents import MAX_ATTEMPTS, LeaseLost
from ingest.jobs.lease import Stopping, while_leased
from ingest.jobs.retry import RETRY_DELAYS_S
from ingest.jobs.tasks import Claimed, TaskFailed
from ingest.tune.task import tune

log = logging.getLogger("kyujang.worker")

POLL_S = 0.5

Handler = Callable[[Services, Claimed], Coroutine[None, None, None]]
# A handler ends its task (tasks.finish, tasks.fail). What it raises ends it, too, or tries it again.
HANDLERS: dict[TaskKind, Handler] = {"check": pipeline.check_adapter, "evaluate": evaluate, "tune": tune}
LANES: tuple[tuple[TaskKind, ...], ...] = (("check", "evaluate"), ("tune",))


async def serve(services: Services, kinds: tuple[TaskKind, ...], name: str, stopping: asyncio.Task[bool]) -> None:
    """Until `stopping` is done; the task at hand then goes back and resumes where it was."""
    mine = [kind for kind in kinds if kind in HANDLERS]
    while mine and not stopping.done():
        try:
            task = await tasks.claim(services.database, name, mine, lease_s=services.settings.lease_s)
        except DatabaseUnavailable:
            task = None
        if task is None:
            await asyncio.wait({stopping}, timeout=POLL_S)
            continue
        await _carry_out(services, task, stopping)


async def _carry_out(services: Services, task: Claimed, stopping: asyncio.Task[bool]) -> None:
    logs.request_id.set(task.id)
    logs.tenant_id.set(str(task.tenant))
    lease_s = services.settings.lease_s
    try:
        if task.attempt > MAX_ATTEMPTS:
            raise TaskFailed("internal", f"The worker died {MAX_ATTEMPTS} times at this.")
        renew = functools.partial(tasks.renew, services.database, task, lease_s=lease_s)
        await while_leased(HANDLERS[task.kind](services, task), renew, lease_s=lease_s, stopping=stopping)
        log.info("task done", extra={"kind": task.kind, "attempt": task.attempt})
    except (Stopping, asyncio.CancelledError) as error:
        await _give_back(services, task, delay_s=0, blameless=True)
        if isinstance(error, asyncio.CancelledError):
            raise
    except Exception as error:
        await _settle(services, task, error)


async def _settle(services: Services, task: Claimed, error: Exception) -> None:
    if isinstance(error, LeaseLost):
        log.info("task cancelled or taken over", extra={"kind": task.kind})
    elif isinstance(error, TaskFailed):
        await _end_badly(services, task, error)
    elif isinstance(error, Unavailable):
        # No fault of the task: it waits for as long as it takes.
        log.warning("task waits", extra={"kind": task.kind, "reason": error.detail})
        await _give_back(services, task, delay_s=RETRY_DELAYS_S[1], blameless=True)
    else:
        log.error("task failed", exc_info=error, extra={"kind": task.kind, "attempt": task.attempt})
        if task.attempt < MAX_ATTEMPTS:
            return await _give_back(services, task, delay_s=RETRY_DELAYS_S[task.attempt - 1])
        detail = error.detail if isinstance(error, KyujangError) else "Kyujang failed at this; the log says why."
        await _end_badly(services, task, TaskFailed("internal", detail))


async def _end_badly(services: Services, task: Claimed, error: TaskFailed) -> None:
    try:
        if task.kind == "check":
            await pipeline.fail(services, task, error.detail)
        await tasks.fail(services.database, task, error.task_code, error.detail)
    except (LeaseLost, DatabaseUnavailable):
        log.info("task left to its lease", extra={"kind": task.kind})


async def _give_back(services: Services, task: Claimed, *, delay_s: float, blameless: bool = False) -> None:
    """If even this fails, the lease runs out and another worker takes the task."""
    try:
        await tasks.retry_later(services.database, task, delay_s=delay_s, blameless=blameless)
    except (LeaseLost, DatabaseUnavailable):
        log.info("task left to its lease", extra={"kind": task.kind})

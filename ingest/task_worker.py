"""The worker's pools for tasks: one for what is short, one for training, beside those for documents."""

from __future__ import annotations

import asyncio
import functools
import logging
from collections.abc import Callable, Coroutine

from app import logs
from app.errors import DatabaseUnavailable, KyujangError, Unavailable
from app.services import Services
from app.storage.tasks import TaskKind
from ingest.adapters import check_task
from ingest.adapters.evaluating import evaluate
from ingest.jobs import tasks
from ingest.jobs.lease import Stopping, run_under_lease
from ingest.jobs.queue import MAX_ATTEMPTS, LeaseLost
from ingest.jobs.retry import RETRY_DELAYS_S
from ingest.jobs.tasks import ClaimedTask, TaskFailed
from ingest.tune.task import tune

log = logging.getLogger("kyujang.worker")

POLL_S = 0.5

Handler = Callable[[Services, ClaimedTask], Coroutine[None, None, None]]
# A handler ends its task (tasks.finish, tasks.fail). What it raises ends it, too, or tries it again.
HANDLERS: dict[TaskKind, Handler] = {"check": check_task.check_adapter, "evaluate": evaluate, "tune": tune}
TASK_POOLS: tuple[tuple[TaskKind, ...], ...] = (("check", "evaluate"), ("tune",))


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


async def _carry_out(services: Services, task: ClaimedTask, stopping: asyncio.Task[bool]) -> None:
    logs.request_id.set(task.id)
    logs.tenant_id.set(str(task.tenant))
    lease_s = services.settings.lease_s
    try:
        if task.attempt > MAX_ATTEMPTS:
            raise TaskFailed("internal", f"The worker died {MAX_ATTEMPTS} times at this.")
        renew = functools.partial(tasks.renew, services.database, task, lease_s=lease_s)
        await run_under_lease(HANDLERS[task.kind](services, task), renew, lease_s=lease_s, stopping=stopping)
        log.info("task done", extra={"kind": task.kind, "attempt": task.attempt})
    except (Stopping, asyncio.CancelledError) as error:
        await _requeue(services, task, delay_s=0, count_attempt=False)
        if isinstance(error, asyncio.CancelledError):
            raise
    except Exception as error:
        await _handle_failure(services, task, error)


async def _handle_failure(services: Services, task: ClaimedTask, error: Exception) -> None:
    if isinstance(error, LeaseLost):
        log.info("task cancelled or taken over", extra={"kind": task.kind})
    elif isinstance(error, TaskFailed):
        await _fail(services, task, error)
    elif isinstance(error, Unavailable):
        # No fault of the task: it waits for as long as it takes.
        log.warning("task waits", extra={"kind": task.kind, "reason": error.detail})
        await _requeue(services, task, delay_s=RETRY_DELAYS_S[1], count_attempt=False)
    else:
        log.error("task failed", exc_info=error, extra={"kind": task.kind, "attempt": task.attempt})
        if task.attempt < MAX_ATTEMPTS:
            return await _requeue(services, task, delay_s=RETRY_DELAYS_S[task.attempt - 1])
        detail = error.detail if isinstance(error, KyujangError) else "Kyujang failed at this; the log says why."
        await _fail(services, task, TaskFailed("internal", detail))


async def _fail(services: Services, task: ClaimedTask, error: TaskFailed) -> None:
    try:
        if task.kind == "check":
            await check_task.fail(services, task, error.detail)
        await tasks.fail(services.database, task, error.task_code, error.detail)
    except (LeaseLost, DatabaseUnavailable):
        log.info("task left to its lease", extra={"kind": task.kind})


async def _requeue(services: Services, task: ClaimedTask, *, delay_s: float, count_attempt: bool = True) -> None:
    """If even this fails, the lease runs out and another worker takes the task."""
    try:
        await tasks.requeue(services.database, task, delay_s=delay_s, count_attempt=count_attempt)
    except (LeaseLost, DatabaseUnavailable):
        log.info("task left to its lease", extra={"kind": task.kind})

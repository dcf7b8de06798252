"""Tasks as a worker sees them: claimed with a lease, renewed, ended or given back."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from psycopg.types.json import Jsonb

from app.errors import KyujangError
from app.storage.database import Connection, Database, fetch_all, fetch_one
from app.storage.tasks import TaskKind, TaskStatus
from app.tenancy import TenantNumber
from ingest.jobs.queue import LeaseLost

# The tenant that was served longest ago, its oldest.
CLAIM = """
with next as (
    select t.tenant_id, t.id from tasks t
    where t.kind = any(%(kinds)s)
      and ((t.status = 'queued' and t.not_before <= now()) or (t.status = 'running' and t.lease_until < now()))
    order by (select max(o.claimed_at) from tasks o where o.tenant_id = t.tenant_id and o.kind = t.kind) nulls first,
             t.created_at, t.id
    limit 1 for update of t skip locked
)
update tasks t
set status = 'running', attempt = t.attempt + 1, worker = %(worker)s, claimed_at = clock_timestamp(),
    lease_until = now() + make_interval(secs => %(lease)s)
from next where t.tenant_id = next.tenant_id and t.id = next.id
returning t.tenant_id as tenant, t.id, t.kind, t.name, t.version, t.spec, t.progress, t.attempt, t.worker
"""


class TaskFailed(KyujangError):
    """What is wrong with a task itself: it ends, with words for its owner."""

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(detail)
        self.task_code = code


@dataclass(frozen=True, slots=True)
class ClaimedTask:
    """One claimed task. `attempt` tells this claim from a later one; `progress` is what an earlier one has left."""

    tenant: TenantNumber
    id: str
    kind: TaskKind
    name: str
    version: int | None
    spec: dict[str, Any]
    progress: dict[str, Any] | None
    attempt: int
    worker: str

    @property
    def key(self) -> dict[str, Any]:
        return {"tenant": self.tenant, "id": self.id, "worker": self.worker, "attempt": self.attempt}


async def claim(database: Database, worker: str, kinds: Sequence[TaskKind], *, lease_s: float) -> ClaimedTask | None:
    async with database.operator() as connection:
        row = await fetch_one(connection, CLAIM, {"worker": worker, "kinds": list(kinds), "lease": lease_s})
    return ClaimedTask(**row) if row else None


async def under_way(database: Database, kind: TaskKind) -> set[str]:
    """Ids of those that wait or are being carried out."""
    async with database.operator() as connection:
        rows = await fetch_all(
            connection,
            "select id from tasks where kind = %(kind)s and status in ('queued', 'running')",
            {"kind": kind},
        )
    return {row["id"] for row in rows}


async def renew(database: Database, task: ClaimedTask, *, lease_s: float) -> None:
    """Raises LeaseLost."""
    async with database.transaction(task.tenant) as connection:
        await update_claimed(
            connection, task, "lease_until = now() + make_interval(secs => %(lease)s)", {"lease": lease_s}
        )


async def progress(database: Database, task: ClaimedTask, progress: dict[str, Any]) -> None:
    """In the place of what was there. Raises LeaseLost."""
    async with database.transaction(task.tenant) as connection:
        await update_claimed(connection, task, "progress = %(progress)s", {"progress": Jsonb(progress)})


async def names_version(database: Database, task: ClaimedTask, version: int) -> None:
    """A training has made this version of its adapter. Raises LeaseLost."""
    async with database.transaction(task.tenant) as connection:
        await update_claimed(connection, task, "version = %(version)s", {"version": version})


async def finish(database: Database, task: ClaimedTask, result: dict[str, Any] | None = None) -> None:
    """Raises LeaseLost."""
    await _end(database, task, "succeeded", {"result": Jsonb(result) if result is not None else None})


async def fail(database: Database, task: ClaimedTask, code: str, detail: str) -> None:
    """Raises LeaseLost."""
    await _end(database, task, "failed", {"code": code, "detail": detail})


async def requeue(database: Database, task: ClaimedTask, *, delay_s: float, count_attempt: bool = True) -> None:
    """Let it be claimed again in `delay_s`. Without `count_attempt` this attempt was not one. Raises LeaseLost."""
    async with database.transaction(task.tenant) as connection:
        await update_claimed(
            connection,
            task,
            """
            status = 'queued', lease_until = null, not_before = now() + make_interval(secs => %(delay)s),
            attempt = attempt - (not %(count_attempt)s)::integer
            """,
            {"delay": delay_s, "count_attempt": count_attempt},
        )


async def update_claimed(connection: Connection, task: ClaimedTask, change: str, values: dict[str, Any]) -> None:
    """Change the task, provided that it is still this worker's; the row stays locked until the commit."""
    row = await fetch_one(
        connection,
        f"""
        update tasks set {change}
        where tenant_id = %(tenant)s and id = %(id)s
          and status = 'running' and worker = %(worker)s and attempt = %(attempt)s
        returning id
        """,  # noqa: S608 - `change` is one of the texts above
        {**task.key, **values},
    )
    if row is None:
        raise LeaseLost


async def _end(database: Database, task: ClaimedTask, status: TaskStatus, values: dict[str, Any]) -> None:
    async with database.transaction(task.tenant) as connection:
        await update_claimed(
            connection,
            task,
            """
            status = %(status)s, lease_until = null, finished_at = now(), result = %(result)s,
            error_code = %(code)s, error_detail = %(detail)s
            """,
            {"status": status, "result": None, "code": None, "detail": None, **values},
        )

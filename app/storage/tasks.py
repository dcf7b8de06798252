"""Work that takes no document (an adapter's check, training, evaluation) as a caller sees it.

ingest/jobs/tasks.py carries it out. `check` shows on its adapter and not among the jobs.
"""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from psycopg.rows import DictRow
from psycopg.types.json import Jsonb

from app.errors import NotFound
from app.storage.database import Connection, Database, fetch_all, fetch_one
from app.storage.idempotency import Idempotency, first_job
from app.storage.jobs import ItemError
from app.tenancy import TenantNumber

TaskKind = Literal["check", "tune", "evaluate"]
TaskStatus = Literal["queued", "running", "succeeded", "failed", "cancelled"]

SHOWN = """
select id, kind, status, name, version, progress, result, error_code, error_detail, created_at, finished_at
from tasks where tenant_id = %(tenant)s and kind <> 'check'
"""


@dataclass(frozen=True, slots=True)
class AdapterReference:
    name: str
    version: int | None


@dataclass(frozen=True, slots=True)
class Task:
    """`adapter` is the one at hand; a training knows its version when it has made it."""

    id: str
    kind: TaskKind
    status: TaskStatus
    created_at: datetime
    finished_at: datetime | None
    adapter: AdapterReference | None
    progress: dict[str, Any] | None
    result: dict[str, Any] | None
    error: ItemError | None


def new_id() -> str:
    return f"job_{secrets.token_hex(12)}"


async def create_task(
    database: Database,
    tenant: TenantNumber,
    kind: TaskKind,
    *,
    name: str,
    version: int | None = None,
    spec: dict[str, Any],
    request: Idempotency | None = None,
) -> tuple[Task, bool]:
    """The second value is False if the same request has made this task before."""
    task_id = new_id()
    async with database.transaction(tenant) as connection:
        first = await first_job(connection, tenant, request, task_id) if request else task_id
        if first == task_id:
            await insert(connection, tenant, task_id, kind, name=name, version=version, spec=spec)
        return await _read(connection, tenant, first), first == task_id


async def insert(
    connection: Connection,
    tenant: TenantNumber,
    task_id: str,
    kind: TaskKind,
    *,
    name: str,
    version: int | None,
    spec: dict[str, Any] | None = None,
    status: TaskStatus = "queued",
) -> None:
    """Within a transaction that makes what the task is about."""
    await connection.execute(
        """
        insert into tasks (tenant_id, id, kind, name, version, spec, status, finished_at)
        values (%(tenant)s, %(id)s, %(kind)s, %(name)s, %(version)s, %(spec)s, %(status)s,
                case when %(status)s <> 'queued' then now() end)
        """,
        {
            "tenant": tenant,
            "id": task_id,
            "kind": kind,
            "name": name,
            "version": version,
            "spec": Jsonb(spec or {}),
            "status": status,
        },
    )


async def get_task(database: Database, tenant: TenantNumber, task_id: str) -> Task:
    """Raises NotFound."""
    async with database.transaction(tenant) as connection:
        return await _read(connection, tenant, task_id)


async def list_tasks(
    database: Database,
    tenant: TenantNumber,
    *,
    limit: int,
    before: tuple[datetime, str] | None = None,
    kind: TaskKind | None = None,
    name: str | None = None,
) -> list[Task]:
    """Newest first. `before` is the last one of the page before this one."""
    at, task_id = before or (None, None)
    async with database.transaction(tenant) as connection:
        rows = await fetch_all(
            connection,
            f"""
            {SHOWN} and (%(at)s::timestamptz is null or (created_at, id) < (%(at)s::timestamptz, %(id)s))
              and (%(kind)s::text is null or kind = %(kind)s) and (%(name)s::text is null or name = %(name)s)
            order by created_at desc, id desc limit %(limit)s
            """,
            {"tenant": tenant, "at": at, "id": task_id, "limit": limit, "kind": kind, "name": name},
        )
    return [_task(row) for row in rows]


async def cancel_task(database: Database, tenant: TenantNumber, task_id: str) -> Task:
    """Ended ones stay as they are. A worker that holds it notices when it next writes. Raises NotFound."""
    async with database.transaction(tenant) as connection:
        await connection.execute(
            """
            update tasks set status = 'cancelled', finished_at = now(), lease_until = null
            where tenant_id = %(tenant)s and id = %(id)s and kind <> 'check' and status in ('queued', 'running')
            """,
            {"tenant": tenant, "id": task_id},
        )
        return await _read(connection, tenant, task_id)


async def cancel_of(connection: Connection, tenant: TenantNumber, name: str, versions: Sequence[int]) -> None:
    """Whatever is under way with these versions of an adapter."""
    await connection.execute(
        """
        update tasks set status = 'cancelled', finished_at = now(), lease_until = null
        where tenant_id = %(tenant)s and name = %(name)s and version = any(%(versions)s)
          and status in ('queued', 'running')
        """,
        {"tenant": tenant, "name": name, "versions": list(versions)},
    )


async def _read(connection: Connection, tenant: TenantNumber, task_id: str) -> Task:
    row = await fetch_one(connection, f"{SHOWN} and id = %(id)s", {"tenant": tenant, "id": task_id})
    if row is None:
        raise NotFound
    return _task(row)


def _task(row: DictRow) -> Task:
    return Task(
        row["id"],
        row["kind"],
        row["status"],
        row["created_at"],
        row["finished_at"],
        AdapterReference(row["name"], row["version"]) if row["name"] else None,
        row["progress"],
        row["result"],
        ItemError(row["error_code"], row["error_detail"]) if row["error_code"] else None,
    )

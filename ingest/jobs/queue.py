"""Items of jobs as a worker sees them: claimed under a lease, renewed, requeued, failed or finished."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any, TypeVar

from psycopg.rows import DictRow
from psycopg.types.json import Jsonb

from app.errors import ItemFailed, KyujangError
from app.storage.database import Connection, Database, fetch_all, fetch_one
from app.storage.jobs import ItemStatus, JobKind, Stage
from app.storage.tenancy import TenantNumber

MAX_ATTEMPTS = 5

# Of an item `i`: it waits, or its worker has died, and no earlier upload of its document is still to come.
CLAIMABLE = """
    ((i.status = 'queued' and i.not_before <= now()) or (i.status = 'running' and i.lease_until < now()))
    and not exists (
        select from job_items earlier
        where earlier.tenant_id = i.tenant_id and earlier.document_id = i.document_id
          and earlier.seq < i.seq and earlier.status in ('queued', 'running'))
"""
LEASED = "lease_until = now() + make_interval(secs => %(lease)s)"
REQUEUED = """
    status = 'queued', lease_until = null, not_before = now() + make_interval(secs => %(delay)s),
    attempt = attempt - (not %(count_attempt)s)::integer
"""

# For each kind from tenant to tenant along the index, however many items each has. The first of them that has something
# to claim ends the join, which goes through them in their order.
CLAIM = f"""
with recursive waiting (kind, tenant_id) as (
    select k.kind, (select min(i.tenant_id) from job_items i
                    where i.kind = k.kind and i.status in ('queued', 'running'))
    from unnest(%(kinds)s::text[]) as k (kind)
    union all
    select w.kind, (select min(i.tenant_id) from job_items i
                    where i.kind = w.kind and i.status in ('queued', 'running') and i.tenant_id > w.tenant_id)
    from waiting w where w.tenant_id is not null
), next as (
    select i.tenant_id, i.job_id, i.n, i.kind
    from (select w.* from waiting w left join job_turns t on t.tenant_id = w.tenant_id and t.kind = w.kind
          where w.tenant_id is not null order by t.at nulls first, w.tenant_id) w
    cross join lateral (
        select * from job_items i
        where i.kind = w.kind and i.tenant_id = w.tenant_id and {CLAIMABLE}
        order by i.seq limit 1 for update skip locked
    ) i limit 1
), turn as (
    insert into job_turns (tenant_id, kind, at) select tenant_id, kind, clock_timestamp() from next
    on conflict (tenant_id, kind) do update set at = excluded.at
)
update job_items i set status = 'running', attempt = i.attempt + 1, worker = %(worker)s, {LEASED}
from next where i.tenant_id = next.tenant_id and i.job_id = next.job_id and i.n = next.n
returning i.*
"""  # noqa: S608 - constants


class LeaseLost(KyujangError):
    """Cancelled, deleted, or taken over by another worker: leave it."""


class TaskFailed(ItemFailed):
    """A task cannot be done, with words for its owner."""


@dataclass(frozen=True, slots=True)
class Claimed:
    """One claimed item of a job. `attempt` tells this claim from a later one of the same item."""

    tenant: TenantNumber
    job_id: str
    item_number: int
    kind: JobKind
    attempt: int
    worker: str

    @property
    def key(self) -> dict[str, Any]:
        own = {"tenant": self.tenant, "job": self.job_id, "n": self.item_number}
        return {**own, "worker": self.worker, "attempt": self.attempt}

    @property
    def described(self) -> dict[str, Any]:
        """For the log."""
        return {"kind": self.kind, "item": self.item_number, "attempt": self.attempt}


@dataclass(frozen=True, slots=True)
class ClaimedDocument(Claimed):
    document_id: str
    source: str | None
    title: str | None
    media_type: str | None
    size: int
    sha256: bytes
    metadata: dict[str, Any] | None
    blob: str

    @property
    def described(self) -> dict[str, Any]:
        return {"document": self.document_id, "attempt": self.attempt}


@dataclass(frozen=True, slots=True)
class ClaimedTask(Claimed):
    """`progress` is what an earlier attempt has left."""

    name: str
    version: int | None
    spec: dict[str, Any]
    progress: dict[str, Any] | None


Item = TypeVar("Item", bound=Claimed)


def claimed_from(row: DictRow, kind: type[Item]) -> Item:
    columns = {**row, "tenant": row["tenant_id"], "item_number": row["n"]}
    return kind(**{field.name: columns[field.name] for field in fields(kind)})


async def claim(
    database: Database, worker: str, kinds: Sequence[JobKind], *, lease_s: float
) -> ClaimedDocument | ClaimedTask | None:
    """Claim an item that waits or whose worker has died: of the tenant that was served longest ago, its oldest.

    Uploads of the same document are claimed one after the other, in the order in which they were accepted.
    """
    async with database.operator() as connection:
        row = await fetch_one(connection, CLAIM, {"worker": worker, "kinds": list(kinds), "lease": lease_s})
    if row is None:
        return None
    return claimed_from(row, ClaimedDocument) if row["kind"] == "ingest" else claimed_from(row, ClaimedTask)


async def unfinished(database: Database, kind: JobKind) -> set[str]:
    """Return the ids of the jobs of this kind that wait or are being done."""
    async with database.operator() as connection:
        rows = await fetch_all(
            connection,
            "select job_id from job_items where kind = %(kind)s and status in ('queued', 'running')",
            {"kind": kind},
        )
    return {row["job_id"] for row in rows}


async def renew(database: Database, claimed: Claimed, *, lease_s: float) -> None:
    """Raises LeaseLost."""
    await _update(database, claimed, LEASED, lease=lease_s)


async def progress(
    database: Database,
    claimed: Claimed,
    report: dict[str, Any] | None = None,
    *,
    stage: Stage | None = None,
    chunks: int | None = None,
    version: int | None = None,
) -> None:
    """Record how far a document or a task is; None leaves what is there. Raises LeaseLost."""
    change = """
        progress = coalesce(%(report)s, progress), stage = coalesce(%(stage)s, stage),
        chunks = coalesce(%(chunks)s, chunks), version = coalesce(%(version)s, version)
    """
    written = None if report is None else Jsonb(report)
    await _update(database, claimed, change, report=written, stage=stage, chunks=chunks, version=version)


async def requeue(database: Database, claimed: Claimed, *, delay_s: float, count_attempt: bool = True) -> None:
    """Let it be claimed again in `delay_s`. Without `count_attempt` this attempt was not one. Raises LeaseLost."""
    await _update(database, claimed, REQUEUED, delay=delay_s, count_attempt=count_attempt)


async def fail(database: Database, claimed: Claimed, code: str, detail: str) -> None:
    """Raises LeaseLost."""
    async with database.transaction(claimed.tenant) as connection:
        await finish_claimed(connection, claimed, "failed", code=code, detail=detail)


async def finish(database: Database, claimed: Claimed, result: dict[str, Any] | None = None) -> None:
    """Raises LeaseLost."""
    async with database.transaction(claimed.tenant) as connection:
        await finish_claimed(connection, claimed, "succeeded", result=result)


async def finish_claimed(
    connection: Connection,
    claimed: Claimed,
    status: ItemStatus,
    *,
    result: dict[str, Any] | None = None,
    code: str | None = None,
    detail: str | None = None,
) -> None:
    """Finish it in a transaction that does more. Raises LeaseLost."""
    change = """
        status = %(status)s, stage = case when %(code)s::text is null then 'done' else stage end, lease_until = null,
        finished_at = now(), result = %(result)s, error_code = %(code)s, error_detail = %(detail)s
    """
    written = None if result is None else Jsonb(result)
    values = {"status": status, "result": written, "code": code, "detail": detail}
    await update_claimed(connection, claimed, change, values)
    if status != "succeeded":
        await unstage_rows(connection, claimed)


async def update_claimed(connection: Connection, claimed: Claimed, change: str, values: dict[str, Any]) -> None:
    """Change the item, provided that it is still this worker's; the row stays locked until the commit."""
    row = await fetch_one(
        connection,
        f"""
        update job_items set {change}
        where tenant_id = %(tenant)s and job_id = %(job)s and n = %(n)s
          and status = 'running' and worker = %(worker)s and attempt = %(attempt)s
        returning n
        """,  # noqa: S608 - `change` is one of the texts above
        {**claimed.key, **values},
    )
    if row is None:
        raise LeaseLost


async def unstage_rows(connection: Connection, claimed: Claimed) -> None:
    await connection.execute(
        "delete from staged_chunks where tenant_id = %(tenant)s and job_id = %(job)s and n = %(n)s", claimed.key
    )


async def _update(database: Database, claimed: Claimed, change: str, **values: Any) -> None:
    async with database.transaction(claimed.tenant) as connection:
        await update_claimed(connection, claimed, change, values)

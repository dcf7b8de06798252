"""Items of jobs as a worker sees them: claimed under a lease, renewed, requeued, failed or finished."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any, TypedDict, TypeVar, Unpack

from psycopg.rows import DictRow

from app.errors import ItemFailed, KyujangError
from app.storage.database import Connection, Database, fetch_all, fetch_one
from app.storage.jobs import ItemStatus, JobKind, Stage, Task, Upload, stored
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
HELD = "tenant_id = %(tenant)s and status = 'running' and worker = %(worker)s"
HELD_ITEM = f"{HELD} and job_id = %(job)s and n = %(n)s and attempt = %(attempt)s"
LEASED = "lease_until = now() + make_interval(secs => %(lease)s)"
REQUEUED = """
    status = 'queued', lease_until = null, not_before = now() + make_interval(secs => %(delay)s),
    attempt = attempt - (not %(count_attempt)s)::integer
"""
CLAIM_NEXT = f"""
    update job_items i set status = 'running', worker = %(worker)s, {LEASED},
        attempt = i.attempt + (i.status = 'queued' or %(count_death)s)::integer
    from next where (i.tenant_id, i.job_id, i.n) = (next.tenant_id, next.job_id, next.n)
    returning i.*
"""  # noqa: S608 - constants

# From tenant to tenant along the index, however many items each has; the first, by turn, with something to claim.
CLAIM = f"""
with recursive waiting (tenant_id) as (
    select min(tenant_id) from job_items where kind = %(kind)s and status in ('queued', 'running')
    union all
    select (select min(i.tenant_id) from job_items i
            where i.kind = %(kind)s and i.status in ('queued', 'running') and i.tenant_id > w.tenant_id)
    from waiting w where w.tenant_id is not null
), next as (
    select i.tenant_id, i.job_id, i.n
    from (select w.tenant_id from waiting w left join job_turns t on t.tenant_id = w.tenant_id and t.kind = %(kind)s
          where w.tenant_id is not null order by t.at nulls first, w.tenant_id) w
    cross join lateral (
        select * from job_items i
        where i.kind = %(kind)s and i.tenant_id = w.tenant_id and {CLAIMABLE}
        order by i.seq limit 1 for update skip locked
    ) i limit 1
), turn as (
    insert into job_turns (tenant_id, kind, at) select tenant_id, %(kind)s, clock_timestamp() from next
    on conflict (tenant_id, kind) do update set at = excluded.at
)
{CLAIM_NEXT}
"""  # noqa: S608 - constants
CLAIM_MANY = f"""
with next as (
    select i.tenant_id, i.job_id, i.n from job_items i
    where i.tenant_id = %(tenant)s and i.kind = 'ingest' and {CLAIMABLE}
      and exists (
          select from job_items asked
          where asked.tenant_id = i.tenant_id and asked.document_id = i.document_id and asked.seq >= i.seq
            and asked.status in ('queued', 'running') and asked.job_id = any(%(jobs)s))
    order by i.seq limit %(limit)s for update skip locked
)
{CLAIM_NEXT}
"""  # noqa: S608 - constants


class LeaseLost(KyujangError):
    """Cancelled, deleted, or taken over by another worker: leave it."""


class TaskFailed(ItemFailed):
    """A task cannot be done, with words for its owner."""


@dataclass(frozen=True)
class Claimed:
    """A claimed item. `attempt` tells this claim from a later one of the same item."""

    tenant: TenantNumber
    job_id: str
    item_number: int
    attempt: int
    worker: str

    @property
    def key(self) -> dict[str, Any]:
        own = {"tenant": self.tenant, "job": self.job_id, "n": self.item_number}
        return {**own, "worker": self.worker, "attempt": self.attempt}

    @property
    def described(self) -> dict[str, Any]:
        """For the log."""
        return {"item": self.item_number, "attempt": self.attempt}


@dataclass(frozen=True)
class ClaimedDocument(Upload, Claimed):
    @property
    def described(self) -> dict[str, Any]:
        return {"document": self.document_id, "attempt": self.attempt}


@dataclass(frozen=True)
class ClaimedTask(Task, Claimed):
    progress: dict[str, Any] | None = None
    """What an earlier attempt has left."""


Item = TypeVar("Item", bound=Claimed)


async def claim(
    database: Database, worker: str, kind: JobKind, *, lease_s: float
) -> ClaimedDocument | ClaimedTask | None:
    """Claim an item that waits or whose worker has died: of the tenant that was served longest ago, its oldest.

    Uploads of the same document are claimed one after the other, in the order in which they were accepted.
    """
    key = {"worker": worker, "kind": kind, "lease": lease_s, "count_death": True}
    async with database.operator() as connection:
        row = await fetch_one(connection, CLAIM, key)
    if row is None:
        return None
    return _claimed(row, ClaimedDocument) if kind == "ingest" else _claimed(row, ClaimedTask)


async def claim_many(
    database: Database, tenant: TenantNumber, job_ids: Sequence[str], worker: str, *, lease_s: float, limit: int
) -> list[ClaimedDocument]:
    """Claim what these jobs wait for: their documents, and before those earlier uploads under the same ids.

    `worker` must be new. What a dead run held counts as no attempt, since hardly any of it was to blame.
    """
    key = {"tenant": tenant, "jobs": list(job_ids), "worker": worker, "lease": lease_s, "limit": limit}
    async with database.transaction(tenant) as connection:
        rows = await fetch_all(connection, CLAIM_MANY, {**key, "count_death": False})
    return [_claimed(row, ClaimedDocument) for row in rows]


def _claimed(row: DictRow, kind: type[Item]) -> Item:
    columns = {**row, "tenant": row["tenant_id"], "item_number": row["n"]}
    return kind(**{field.name: columns[field.name] for field in fields(kind)})


async def unfinished(database: Database, kind: JobKind, job_ids: Sequence[str] | None = None) -> list[str]:
    """Return the job of each item that waits or is being done, of all jobs of this kind or of these."""
    query = """
        select job_id from job_items where kind = %(kind)s and status in ('queued', 'running')
          and (%(jobs)s::text[] is null or job_id = any(%(jobs)s))
    """
    async with database.operator() as connection:
        rows = await fetch_all(connection, query, {"kind": kind, "jobs": job_ids and list(job_ids)})
    return [row["job_id"] for row in rows]


async def renew(database: Database, claimed: Claimed, *, lease_s: float) -> None:
    """Raises LeaseLost."""
    await _update(database, claimed, LEASED, lease=lease_s)


async def renew_many(
    database: Database, tenant: TenantNumber, worker: str, *, lease_s: float
) -> list[tuple[str, int, Stage, int]]:
    """Renew all that this worker holds; return (job, number, stage, chunks done) of each."""
    query = f"update job_items set {LEASED} where {HELD} returning job_id, n, stage, chunks_done"  # noqa: S608 - ours
    async with database.transaction(tenant) as connection:
        rows = await fetch_all(connection, query, {"tenant": tenant, "worker": worker, "lease": lease_s})
    return sorted(tuple(row.values()) for row in rows)


class Reached(TypedDict, total=False):
    """How far a document or a task is. What is None or left out stays as it was."""

    progress: dict[str, Any]
    stage: Stage
    chunks: int | None
    version: int


async def record(database: Database, claimed: Claimed, **reached: Unpack[Reached]) -> None:
    """Raises LeaseLost."""
    change = ", ".join(f"{column} = coalesce(%({column})s, {column})" for column in reached)
    await _update(database, claimed, change, **reached)


async def requeue(database: Database, claimed: Claimed, *, delay_s: float, count_attempt: bool = True) -> None:
    """Let it be claimed again in `delay_s`. Without `count_attempt` this attempt was not one. Raises LeaseLost."""
    await _update(database, claimed, REQUEUED, delay=delay_s, count_attempt=count_attempt)


async def requeue_many(
    database: Database, tenant: TenantNumber, worker: str, *, delay_s: float, count_attempt: bool
) -> None:
    """Requeue all that this worker still holds."""
    key = {"tenant": tenant, "worker": worker, "delay": delay_s, "count_attempt": count_attempt}
    async with database.transaction(tenant) as connection:
        await connection.execute(f"update job_items set {REQUEUED} where {HELD}".encode(), key)  # noqa: S608 - ours


async def fail(database: Database, claimed: Claimed, code: str, detail: str) -> None:
    """Raises LeaseLost."""
    async with database.transaction(claimed.tenant) as connection:
        await finish_claimed(connection, claimed, "failed", code=code, detail=detail)


async def finish(database: Database, claimed: Claimed, result: dict[str, Any] | None = None) -> None:
    """Raises LeaseLost."""
    async with database.transaction(claimed.tenant) as connection:
        await finish_claimed(connection, claimed, "succeeded", result=result)


async def finish_claimed(connection: Connection, claimed: Claimed, status: ItemStatus, **outcome: Any) -> None:
    """Finish it in a transaction that does more, with a `result`, or a `code` and `detail`. Raises LeaseLost."""
    change = """
        status = %(status)s, stage = case when %(code)s::text is null then 'done' else stage end, lease_until = null,
        finished_at = now(), result = %(result)s, error_code = %(code)s, error_detail = %(detail)s
    """
    values = {"result": None, "code": None, "detail": None, **outcome}
    await update_claimed(connection, claimed, change, status=status, **values)
    if status != "succeeded":
        await unstage_rows(connection, claimed)


async def update_claimed(connection: Connection, claimed: Claimed, change: str, **values: Any) -> None:
    """Change the item, provided that it is still this worker's; the row stays locked until the commit."""
    query = f"update job_items set {change} where {HELD_ITEM} returning n"  # noqa: S608 - one of the texts above
    key = claimed.key | {name: stored(value) for name, value in values.items()}
    if await fetch_one(connection, query, key) is None:
        raise LeaseLost


async def unstage_rows(connection: Connection, claimed: Claimed) -> None:
    await connection.execute(
        "delete from staged_chunks where tenant_id = %(tenant)s and job_id = %(job)s and n = %(n)s", claimed.key
    )


async def _update(database: Database, claimed: Claimed, change: str, **values: Any) -> None:
    async with database.transaction(claimed.tenant) as connection:
        await update_claimed(connection, claimed, change, **values)

"""Items of jobs as a worker sees them: claimed under a lease, renewed, requeued, failed or finished."""

from __future__ import annotations

import os
import secrets
import socket
from collections.abc import Sequence
from dataclasses import dataclass, field, fields
from typing import Any, TypedDict, TypeVar, Unpack

from psycopg.rows import DictRow

from app.errors import ItemFailed, KyujangError
from app.storage import usage
from app.storage.database import Connection, Database, continue_as, fetch_all, fetch_one
from app.storage.job_creation import stored
from app.storage.jobs import ItemStatus, JobKind, Stage, Task, Upload
from app.storage.tenancy import TenantNumber
from app.storage.usage import Usage
from ingest.jobs.claiming import CLAIM, CLAIMED_ITEM, HELD_ITEM, LEASED, REQUEUED, SMALL_BYTES

MAX_ATTEMPTS = 5


class LeaseLost(KyujangError):
    """Cancelled, deleted, or taken over by another worker: leave it."""


class TurnOver(KyujangError):
    """Another tenant waits for what this item holds: it goes on when its turn comes again."""


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
    progressed_in: int  # the last attempt that has stored something
    kind: JobKind = field(kw_only=True)
    taken_over: bool = field(default=False, kw_only=True)  # from a worker without a sign of life
    bound_to: str | None = field(default=None, kw_only=True)  # the parts that the sender's key sees
    traceparent: str | None = field(default=None, kw_only=True)  # of the request, if it was traced

    @property
    def key(self) -> dict[str, Any]:
        own = {"tenant": self.tenant, "job": self.job_id, "n": self.item_number}
        return {**own, "worker": self.worker, "attempt": self.attempt}

    @property
    def attempts_in_vain(self) -> int:
        """How many attempts, this one included, there are since one stored something."""
        return max(1, self.attempt - self.progressed_in)

    @property
    def described(self) -> dict[str, Any]:
        """For the log."""
        return {"item": self.item_number, "attempt": self.attempt}


@dataclass(frozen=True)
class ClaimedDocument(Upload, Claimed):
    is_stored: bool = False
    """Whether `blob` is the file of a stored document, which is ingested again: it stays whatever happens."""
    kept_notices: Sequence[dict[str, Any]] | None = None
    """What is told of the files that it holds, if they were accepted before, from the same bytes by the same reader."""

    @property
    def is_small(self) -> bool:
        return self.size <= SMALL_BYTES

    @property
    def described(self) -> dict[str, Any]:
        return {"document": self.document_id, "attempt": self.attempt}


@dataclass(frozen=True)
class ClaimedRechunk(Claimed):
    """A stored document that may have to be read and cut again."""

    document_id: str


@dataclass(frozen=True)
class ClaimedTask(Task, Claimed):
    progress: dict[str, Any] | None = None
    """What an earlier attempt has left."""
    key_id: str | None = None  # of the key that asked for it


Item = TypeVar("Item", bound=Claimed)
CLAIMED: dict[JobKind, type[ClaimedDocument | ClaimedRechunk]] = {"ingest": ClaimedDocument, "rechunk": ClaimedRechunk}


def worker_name() -> str:
    """Return a name to claim by, which no other process has and none had before."""
    return f"{socket.gethostname()}-{os.getpid()}-{secrets.token_hex(3)}"


async def claim(
    database: Database,
    worker: str,
    kind: JobKind,
    *,
    lease_s: float,
    without: Sequence[TenantNumber] = (),
    small: bool = False,
) -> ClaimedDocument | ClaimedRechunk | ClaimedTask | None:
    """Claim an item that waits or whose worker has died: of the tenant that was served longest ago, its oldest.

    `without`: of no tenant in it; `small`: only a small document. Uploads of the same document are
    claimed one after the other, in the order in which they were accepted.
    """
    key = {
        "worker": worker,
        "kind": kind,
        "lease": lease_s,
        "without": list(without),
        "small": small,
        "count_death": True,
    }
    async with database.operator() as connection:
        found = await fetch_one(connection, CLAIM, key)
        if found is None:
            return None
        # What it is about the operator role does not see. Without it there is no claim either.
        await continue_as(connection, found["tenant_id"])
        row = await fetch_one(connection, CLAIMED_ITEM, found)
    assert row is not None
    return claimed_from(row, CLAIMED[kind]) if kind in CLAIMED else claimed_from(row, ClaimedTask)


def claimed_from(row: DictRow, kind: type[Item]) -> Item:
    columns = {**row, "tenant": row["tenant_id"], "item_number": row["n"]}
    return kind(**{each.name: columns[each.name] for each in fields(kind) if each.name in columns})


async def unfinished(database: Database, kind: JobKind, job_ids: Sequence[str] | None = None) -> list[str]:
    """Return the job of each item that waits or is being done, of all jobs of this kind or of these."""
    query = """
        select job_id from job_items where kind = %(kind)s and status in ('queued', 'running')
          and (%(jobs)s::text[] is null or job_id = any(%(jobs)s))
    """
    async with database.operator() as connection:
        rows = await fetch_all(connection, query, {"kind": kind, "jobs": job_ids and list(job_ids)})
    return [row["job_id"] for row in rows]


async def give_way(database: Database, tenant: TenantNumber, kind: JobKind) -> None:
    """Raises TurnOver if another tenant waits with something of this kind."""
    waits = "select from job_items where kind = %(kind)s and status = 'queued' and not_before <= now() and tenant_id"
    query = f"select exists ({waits} < %(tenant)s) or exists ({waits} > %(tenant)s) as other"
    async with database.operator() as connection:
        row = await fetch_one(connection, query, {"kind": kind, "tenant": tenant})
    if row and row["other"]:
        raise TurnOver


async def renew(database: Database, claimed: Claimed, *, lease_s: float) -> None:
    """Raises LeaseLost."""
    await _update(database, claimed, LEASED, lease=lease_s)


class Reached(TypedDict, total=False):
    """How far a document or a task is. What is None or left out stays as it was."""

    progress: dict[str, Any]
    stage: Stage
    chunks: int | None
    version: int


async def record(
    database: Database, claimed: Claimed, *, used: Usage | None = None, **reached: Unpack[Reached]
) -> None:
    """Raises LeaseLost."""
    change = ", ".join(f"{column} = coalesce(%({column})s, {column})" for column in reached)
    async with database.transaction(claimed.tenant) as connection:
        await update_claimed(connection, claimed, change, **reached)
        if used is not None:
            await usage.add(connection, claimed.tenant, claimed.job_id, used)


async def requeue(database: Database, claimed: Claimed, *, delay_s: float, count_attempt: bool = True) -> None:
    """Let it be claimed again in `delay_s`. Without `count_attempt` this attempt was not one. Raises LeaseLost."""
    await _update(database, claimed, REQUEUED, delay=delay_s, count_attempt=count_attempt)


async def fail(database: Database, claimed: Claimed, code: str, detail: str) -> None:
    """Raises LeaseLost."""
    async with database.transaction(claimed.tenant) as connection:
        await finish_claimed(connection, claimed, "failed", code=code, detail=detail)


async def finish(
    database: Database, claimed: Claimed, result: dict[str, Any] | None = None, *, used: Usage | None = None
) -> None:
    """Raises LeaseLost."""
    async with database.transaction(claimed.tenant) as connection:
        await finish_claimed(connection, claimed, "succeeded", result=result)
        if used is not None:
            await usage.add(connection, claimed.tenant, claimed.job_id, used)


async def finish_claimed(connection: Connection, claimed: Claimed, status: ItemStatus, **outcome: Any) -> None:
    """Finish it in a transaction that does more, with a `result`, `page_counts` and `warnings`, or a `code` and
    `detail`. Raises LeaseLost."""
    change = """
        status = %(status)s, stage = case when %(code)s::text is null then 'done' else stage end, lease_until = null,
        finished_at = now(), result = %(result)s, error_code = %(code)s, error_detail = %(detail)s,
        page_counts = %(page_counts)s::jsonb, warnings = coalesce(%(warnings)s::jsonb, '[]')
    """
    values = {"result": None, "code": None, "detail": None, "page_counts": None, "warnings": None, **outcome}
    await update_claimed(connection, claimed, change, status=status, **values)
    if status != "succeeded":
        await unstage_rows(connection, claimed)
        await unstage_pages(connection, claimed)


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


async def unstage_pages(connection: Connection, claimed: Claimed) -> None:
    await connection.execute(
        "delete from staged_pages where tenant_id = %(tenant)s and job_id = %(job)s and n = %(n)s", claimed.key
    )


async def _update(database: Database, claimed: Claimed, change: str, **values: Any) -> None:
    async with database.transaction(claimed.tenant) as connection:
        await update_claimed(connection, claimed, change, **values)

"""Creates jobs, within what a tenant may have unfinished at a time."""

from __future__ import annotations

import asyncio
import json
import secrets
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from app import tracing
from app.errors import TooManyRequests
from app.storage import collections, limits, parts
from app.storage.database import Connection, Database, fetch_one, see_all
from app.storage.idempotency import Idempotency, first_job
from app.storage.jobs import Job, Task, Upload, read
from app.storage.tenancy import WHOLE, TenantNumber, part, parts_seen
from app.storage.usage import payer

RETRY_AFTER_S = 30


async def create_job(
    database: Database,
    tenant: TenantNumber,
    work: Sequence[Upload] | Task,
    request: Idempotency | None = None,
    *,
    most: int | None = None,
) -> tuple[Job, bool]:
    """Accept documents or a task: no crash after this loses them. False if `request` has made the job before.

    Raises InvalidInput for a collection that is not there, OutsidePart or IdInUse for what the caller may not write,
    TooManyRequests if more than `most` would be unfinished, or what refuse_work() raises.
    """
    job_id = new_id()
    async with database.transaction(tenant) as connection:
        # What it may write is decided below.
        await see_all(connection)
        await parts.hold(connection, tenant)
        first = await first_job(connection, tenant, request, job_id) if request else job_id
        if first == job_id:
            if isinstance(work, Task) and parts_seen() == []:
                raise parts.OutsidePart
            await refuse_too_many(connection, tenant, work, most)
            await limits.refuse_work(connection, tenant, work)
            if not isinstance(work, Task):
                await collections.keep(connection, tenant, {each.collection for each in work if each.collection})
            await insert_job(connection, tenant, job_id, work)
            if not isinstance(work, Task):
                await _refuse_outside(connection, tenant, job_id)
        return await read(connection, tenant, first), first == job_id


def new_id() -> str:
    return f"job_{secrets.token_hex(12)}"


async def refuse_too_many(
    connection: Connection, tenant: TenantNumber, work: Sequence[Upload] | Task, most: int | None
) -> None:
    """Raises TooManyRequests if with this work more than `most` documents, or else tasks, would be unfinished."""
    if most is None:
        return
    new, kinds, what, setting = (
        (1, ["check", "evaluate", "tune"], "checks, evaluations and trainings", "KYUJANG_TENANT_TASKS")
        if isinstance(work, Task)
        else (len(work), ["ingest"], "documents", "KYUJANG_TENANT_DOCUMENTS")
    )
    # Two requests at once must not each count without the other's. Of the two-number locks these are the only ones.
    await connection.execute("select pg_advisory_xact_lock(0, hashint8(%s))", [tenant])
    row = await fetch_one(
        connection,
        """
        select count(*) as unfinished from (
            select from job_items where tenant_id = %(tenant)s and kind = any(%(kinds)s)
              and status in ('queued', 'running') limit %(most)s
        ) counted
        """,
        {"tenant": tenant, "kinds": kinds, "most": most},
    )
    unfinished = row["unfinished"] if row else 0
    if unfinished + new > most:
        raise TooManyRequests(
            f"At most {most} {what} of a tenant may be unfinished at a time ({setting}); {unfinished} are, and this "
            f"request adds {new}. Wait until some have ended, or cancel their jobs.",
            retry_after_s=RETRY_AFTER_S,
        )


async def insert_job(
    connection: Connection, tenant: TenantNumber, job_id: str, work: Sequence[Upload] | Task, *, done: bool = False
) -> None:
    """Insert it in the transaction that makes what it is about; `done`: nothing is left to do."""
    kind = work.kind if isinstance(work, Task) else "ingest"
    await connection.execute(
        "insert into jobs (tenant_id, id, kind, key_id, traceparent) values (%s, %s, %s, nullif(%s, ''), %s)",
        [tenant, job_id, kind, payer.get(), tracing.at_hand()],
    )
    ended = {"status": "succeeded", "finished_at": datetime.now(UTC)} if done else {}
    bound = {} if (seen := part.get()) == WHOLE else {"bound_to": seen, "parts": parts_seen()}
    items = [vars(each) | ended | bound for each in ([work] if isinstance(work, Task) else work)]
    names = ("tenant_id", "job_id", "n", *items[0])
    query = f"insert into job_items ({', '.join(names)}) values ({', '.join(['%s'] * len(names))})"  # noqa: S608 - ours
    async with connection.cursor() as cursor:
        # What a training is made from may be as large as a request.
        rows = await asyncio.to_thread(
            lambda: [(tenant, job_id, n, *map(stored, item.values())) for n, item in enumerate(items)]
        )
        await cursor.executemany(query.encode(), rows)


async def _refuse_outside(connection: Connection, tenant: TenantNumber, job_id: str) -> None:
    """Raise OutsidePart or IdInUse if one of the job's documents is none that the caller may write."""
    await parts.judge_items(connection, tenant, "i.job_id = %(job)s", {"job": job_id})
    if (seen := parts_seen()) is None:
        return
    key = {"tenant": tenant, "job": job_id, "seen": seen}
    if await fetch_one(connection, IDS_IN_USE, key) is not None:
        raise parts.IdInUse
    if await fetch_one(connection, f"select {ITEMS_OUTSIDE} limit 1", key) is not None:
        raise parts.OutsidePart


ITEMS_OUTSIDE = "from job_items where tenant_id = %(tenant)s and job_id = %(job)s and not parts && %(seen)s::integer[]"
# Of a document, or of an upload on its way, that the caller may not see.
IDS_IN_USE = """
    select from job_items i where i.tenant_id = %(tenant)s and i.job_id = %(job)s and (
        exists (
            select from documents d where d.tenant_id = i.tenant_id and d.id = i.document_id
              and not exists (
                  select from part_documents p
                  where p.tenant_id = d.tenant_id and p.document = d.id and p.part = any(%(seen)s)))
        or exists (
            select from job_items other
            where other.tenant_id = i.tenant_id and other.document_id = i.document_id and other.job_id <> i.job_id
              and other.status in ('queued', 'running') and not other.parts && %(seen)s::integer[])
    ) limit 1
"""


def stored(value: Any) -> Any:
    """Return what psycopg takes for the value, an object as its text."""
    return json.dumps(value, ensure_ascii=False) if isinstance(value, dict) else value

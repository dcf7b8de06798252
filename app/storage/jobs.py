"""Ingest jobs as a caller sees them: accepted, read, cancelled. ingest/jobs/documents.py carries them out."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal, get_args

from psycopg.rows import DictRow
from psycopg.types.json import Jsonb

from app.errors import NotFound
from app.storage.database import Connection, Database, fetch_all, fetch_one
from app.storage.idempotency import Idempotency, first_job
from app.tenancy import TenantNumber

ItemStatus = Literal["queued", "running", "succeeded", "unchanged", "failed", "cancelled"]
JobStatus = Literal["queued", "running", "succeeded", "partial", "failed", "cancelled"]
Stage = Literal["load", "split", "embed", "store", "done"]
ITEM_STATUSES = get_args(ItemStatus)
COUNTED = ", ".join(
    [
        "j.id, j.created_at, count(i.n) as total, max(i.finished_at) as finished_at",
        *(f"count(i.n) filter (where i.status = '{status}') as {status}" for status in ITEM_STATUSES),
    ]
)


@dataclass(frozen=True, slots=True)
class Upload:
    """A document on disk, not yet taken in. `blob` is its path under the blob folder."""

    document_id: str
    blob: str
    size: int
    sha256: bytes
    source: str | None
    title: str | None = None
    media_type: str | None = None
    metadata: dict[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class ItemError:
    code: str
    detail: str


@dataclass(frozen=True, slots=True)
class Item:
    id: str
    source: str | None
    status: ItemStatus
    stage: Stage
    chunks: int | None
    chunks_done: int
    error: ItemError | None


@dataclass(frozen=True, slots=True)
class Job:
    id: str
    status: JobStatus
    created_at: datetime
    finished_at: datetime | None
    counts: dict[str, int]
    documents: list[Item] = field(default_factory=list)


async def create_job(database: Database, tenant: TenantNumber, uploads: Sequence[Upload]) -> Job:
    """Once this returns the documents are accepted: a crash from here on loses none of them."""
    job_id = _new_id()
    async with database.transaction(tenant) as connection:
        await _insert(connection, tenant, job_id, uploads)
        return await _read(connection, tenant, job_id)


async def create_job_once(
    database: Database, tenant: TenantNumber, uploads: Sequence[Upload], request: Idempotency
) -> tuple[Job, bool]:
    """The second value is False if the same request has made this job before."""
    job_id = _new_id()
    async with database.transaction(tenant) as connection:
        first = await first_job(connection, tenant, request, job_id)
        if first == job_id:
            await _insert(connection, tenant, job_id, uploads)
        return await _read(connection, tenant, first), first == job_id


def _new_id() -> str:
    return f"job_{secrets.token_hex(12)}"


async def _insert(connection: Connection, tenant: TenantNumber, job_id: str, uploads: Sequence[Upload]) -> None:
    await connection.execute("insert into jobs (tenant_id, id) values (%s, %s)", [tenant, job_id])
    async with connection.cursor() as cursor:
        await cursor.executemany(
            """
            insert into job_items
                (tenant_id, job_id, n, document_id, source, title, media_type, bytes, sha256, metadata, blob)
            values (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)
            """,
            [(tenant, job_id, n, *_columns(upload)) for n, upload in enumerate(uploads)],
        )


async def get_job(database: Database, tenant: TenantNumber, job_id: str) -> Job:
    async with database.transaction(tenant) as connection:
        return await _read(connection, tenant, job_id)


async def list_jobs(
    database: Database, tenant: TenantNumber, *, limit: int, before: tuple[datetime, str] | None = None
) -> list[Job]:
    """Newest first, without their documents. `before` is the last job of the page before this one."""
    at, job_id = before or (None, None)
    async with database.transaction(tenant) as connection:
        rows = await fetch_all(
            connection,
            f"""
            select {COUNTED} from (
                select * from jobs where tenant_id = %(tenant)s
                  and (%(at)s::timestamptz is null or (created_at, id) < (%(at)s::timestamptz, %(id)s))
                order by created_at desc, id desc limit %(limit)s
            ) j
            left join job_items i on i.tenant_id = %(tenant)s and i.job_id = j.id
            group by j.id, j.created_at order by j.created_at desc, j.id desc
            """,  # noqa: S608 - a constant
            {"tenant": tenant, "at": at, "id": job_id, "limit": limit},
        )
    return [_job(row) for row in rows]


async def cancel_job(database: Database, tenant: TenantNumber, job_id: str) -> tuple[Job, list[str]]:
    """What is queued or running ends here; what is done stays. Also returns the blobs to remove."""
    async with database.transaction(tenant) as connection:
        blobs = await cancel_items(connection, tenant, job_id=job_id)
        return await _read(connection, tenant, job_id), blobs


async def cancel_items(
    connection: Connection, tenant: TenantNumber, *, job_id: str | None = None, document_id: str | None = None
) -> list[str]:
    """Of a job or of a document. A worker that holds one of them notices when it next writes."""
    rows = await fetch_all(
        connection,
        """
        with cancelled as (
            update job_items set status = 'cancelled', finished_at = now(), lease_until = null
            where tenant_id = %(tenant)s and (job_id = %(job)s or document_id = %(document)s)
              and status in ('queued', 'running')
            returning job_id, n, blob
        ), unstaged as (
            delete from staged_chunks s using cancelled c
            where s.tenant_id = %(tenant)s and s.job_id = c.job_id and s.n = c.n
        )
        select blob from cancelled
        """,
        {"tenant": tenant, "job": job_id, "document": document_id},
    )
    return [row["blob"] for row in rows]


def _columns(upload: Upload) -> tuple[Any, ...]:
    metadata = None if upload.metadata is None else Jsonb(upload.metadata)
    return (
        upload.document_id, upload.source, upload.title, upload.media_type,
        upload.size, upload.sha256, metadata, upload.blob,
    )  # fmt: skip


async def _read(connection: Connection, tenant: TenantNumber, job_id: str) -> Job:
    key = {"tenant": tenant, "job": job_id}
    row = await fetch_one(
        connection,
        f"""
        select {COUNTED} from jobs j left join job_items i on i.tenant_id = %(tenant)s and i.job_id = j.id
        where j.tenant_id = %(tenant)s and j.id = %(job)s group by j.id, j.created_at
        """,  # noqa: S608 - a constant
        key,
    )
    if row is None:
        raise NotFound
    items = await fetch_all(
        connection, "select * from job_items where tenant_id = %(tenant)s and job_id = %(job)s order by n", key
    )
    return _job(row, [_item(each) for each in items])


def _job(row: DictRow, documents: Sequence[Item] = ()) -> Job:
    counts = {name: row[name] for name in (*ITEM_STATUSES, "total")}
    status = _status(counts)
    finished = None if status in ("queued", "running") else row["finished_at"]
    return Job(row["id"], status, row["created_at"], finished, counts, list(documents))


def _item(row: DictRow) -> Item:
    error = ItemError(row["error_code"], row["error_detail"]) if row["error_code"] else None
    return Item(
        row["document_id"], row["source"], row["status"], row["stage"], row["chunks"], row["chunks_done"], error
    )


def _status(counts: dict[str, int]) -> JobStatus:
    good = counts["succeeded"] + counts["unchanged"]
    if counts["running"] or (counts["queued"] and counts["queued"] < counts["total"]):
        return "running"
    if counts["queued"]:
        return "queued"
    if good == counts["total"]:
        return "succeeded"
    if good:
        return "partial"
    return "failed" if counts["failed"] else "cancelled"

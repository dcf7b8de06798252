"""Jobs as a caller sees them: read, listed, cancelled. ingest/jobs/queue.py hands their items to workers.

A job ingests documents or rechunks stored ones, an item each, or is a task (an adapter's check, training, evaluation),
which is one item.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal, get_args

from psycopg.rows import DictRow

from app.errors import NotFound
from app.storage.database import Connection, Database, fetch_all, fetch_one
from app.storage.notices import OcrMode, PageCounts
from app.storage.tenancy import TenantNumber

_Shown = Literal["tune", "evaluate"]
# A check shows on its adapter, and a map, in both its projections, as such, not among the jobs.
TaskKind = Literal["check", "map", "neighbours", _Shown]
HIDDEN = "('check', 'map', 'neighbours')"
_Documents = Literal["ingest", "rechunk"]
JobKind = Literal[_Documents, TaskKind]
ShownKind = Literal[_Documents, _Shown]
ItemStatus = Literal["queued", "running", "succeeded", "unchanged", "failed", "cancelled"]
JobStatus = Literal["queued", "running", "succeeded", "partial", "failed", "cancelled"]
Stage = Literal["load", "split", "embed", "store", "done"]
ITEM_STATUSES = get_args(ItemStatus)
MAX_FAILURES = 1000
COUNTED = ", ".join(f"count(*) filter (where status = '{status}') as {status}" for status in ITEM_STATUSES)
# A JobStatus, of what is counted.
STATUS = """
    case when running > 0 or (queued > 0 and queued < total) then 'running' when queued > 0 then 'queued'
         when succeeded + unchanged = total then 'succeeded' when succeeded + unchanged > 0 then 'partial'
         when failed > 0 then 'failed' else 'cancelled' end
"""


@dataclass(frozen=True)
class Upload:
    """A document that is to be ingested. `blob` is its path under the blob folder, `parent` the document it lies in;
    without a `collection` it stays in the one where it is."""

    document_id: str
    blob: str
    size: int
    sha256: bytes
    source: str | None
    title: str | None = None
    media_type: str | None = None
    metadata: dict[str, Any] | None = None
    ocr: OcrMode = "auto"
    parent: str | None = None
    collection: str | None = None


@dataclass(frozen=True)
class Task:
    """What is to be done with an adapter; a training's has no version before it has made it. An evaluation of answers
    has no name."""

    kind: TaskKind
    name: str
    version: int | None = None
    spec: dict[str, Any] = field(default_factory=dict)


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
    pages: PageCounts | None
    warnings: list[dict[str, Any]]
    parent: str | None = None


@dataclass(frozen=True, slots=True)
class AdapterReference:
    name: str
    version: int | None


@dataclass(frozen=True, slots=True)
class Job:
    """`documents` are of an ingest job, and those that a rechunk job has failed at, once it has ended; `adapter`,
    `progress`, `result` and `error` are of a task."""

    id: str
    kind: JobKind
    status: JobStatus
    created_at: datetime
    finished_at: datetime | None
    counts: dict[str, int]
    documents: list[Item] = field(default_factory=list)
    adapter: AdapterReference | None = None
    progress: dict[str, Any] | None = None
    result: dict[str, Any] | None = None
    error: ItemError | None = None
    with_warnings: int = 0


async def get_job(database: Database, tenant: TenantNumber, job_id: str) -> Job:
    """Raises NotFound."""
    # Counts and documents are two statements: they tell of the same moment.
    async with database.snapshot(tenant) as snapshot:
        return await read(snapshot.connection, tenant, job_id)


async def read_again(database: Database, tenant: TenantNumber, known: Job) -> Job:
    """Read the job's counts, and of its documents those alone that may have changed. Raises NotFound."""
    async with database.snapshot(tenant) as snapshot:
        return await read(snapshot.connection, tenant, known.id, known.documents)


async def list_jobs(
    database: Database,
    tenant: TenantNumber,
    *,
    limit: int,
    before: tuple[datetime, str] | None = None,
    kinds: Sequence[JobKind] = get_args(ShownKind),
    name: str | None = None,
    status: JobStatus | None = None,
) -> list[Job]:
    """Newest first, without their documents. `before` is the last job of the page before this one."""
    at, job_id = before or (None, None)
    # Without a status only the jobs of the page are counted; `limit null` is none.
    which = """
        and (%(at)s::timestamptz is null or (created_at, id) < (%(at)s::timestamptz, %(id)s))
        and kind = any(%(kinds)s)
        and (%(name)s::text is null or id in (
            select job_id from job_items where tenant_id = %(tenant)s and name = %(name)s))
        order by created_at desc, id desc limit case when %(status)s::text is null then %(limit)s::integer end
    """
    key = {
        "tenant": tenant, "at": at, "id": job_id, "limit": limit, "kinds": list(kinds), "name": name, "status": status,
    }  # fmt: skip
    query = _shown(which, "where %(status)s::text is null or counted.status = %(status)s", "limit %(limit)s")
    async with database.transaction(tenant) as connection:
        return [_job(row) for row in await fetch_all(connection, query, key)]


def _shown(which: str, counted_as: str = "", most: str = "") -> str:
    """Return the query for the jobs that `which`, then `counted_as` select, with their counts and what tasks have."""
    return f"""
        select j.id, j.kind, j.created_at, counted.*,
               task.name, task.version, task.progress, task.result, task.error_code, task.error_detail
        from (select * from jobs where tenant_id = %(tenant)s and kind not in {HIDDEN} {which}) j
        cross join lateral (
            select *, {STATUS} as status from (
                select count(*) as total, {COUNTED}, count(*) filter (where warnings <> '[]') as with_warnings,
                       case when count(*) = 0 then j.created_at else max(finished_at) end as finished_at
                from job_items i where i.tenant_id = j.tenant_id and i.job_id = j.id
            ) items
        ) counted
        left join job_items task on j.kind not in ('ingest', 'rechunk')
            and task.tenant_id = j.tenant_id and task.job_id = j.id and task.n = 0
        {counted_as}
        order by j.created_at desc, j.id desc {most}
    """  # noqa: S608 - constants


async def read(connection: Connection, tenant: TenantNumber, job_id: str, known: Sequence[Item] = ()) -> Job:
    """Of `known` documents those are read again that may have changed; what they turned out to hold is added."""
    open_ = [number for number, item in enumerate(known) if item.status in ("queued", "running")]
    running = [number for number in open_ if known[number].status == "running"]
    key = {"tenant": tenant, "job": job_id, "known": len(known), "open": open_, "running": running}
    row = await fetch_one(connection, _shown("and id = %(job)s"), key)
    if row is None:
        raise NotFound
    if row["kind"] == "rechunk":
        return _job(row, await _failures(connection, key) if row["status"] not in ("queued", "running") else ())
    items = await fetch_all(
        connection,
        """
        select * from job_items where tenant_id = %(tenant)s and job_id = %(job)s and kind = 'ingest'
          and (n >= %(known)s or n = any(%(running)s) or (n = any(%(open)s) and status <> 'queued')) order by n
        """,
        key,
    )
    documents = dict(enumerate(known)) | {each["n"]: _item(each) for each in items}
    return _job(row, list(documents.values()))


async def _failures(connection: Connection, key: dict[str, Any]) -> list[Item]:
    rows = await fetch_all(
        connection,
        """
        select * from job_items where tenant_id = %(tenant)s and job_id = %(job)s and status = 'failed'
        order by n limit %(most)s
        """,
        {**key, "most": MAX_FAILURES},
    )
    return [_item(row) for row in rows]


def _job(row: DictRow, documents: Sequence[Item] = ()) -> Job:
    counts = {name: row[name] for name in (*ITEM_STATUSES, "total")}
    finished = None if row["status"] in ("queued", "running") else row["finished_at"]
    adapter = AdapterReference(row["name"], row["version"]) if row["name"] else None
    return Job(
        row["id"], row["kind"], row["status"], row["created_at"], finished, counts, list(documents),
        adapter, row["progress"], row["result"], _error(row), row["with_warnings"],
    )  # fmt: skip


def _item(row: DictRow) -> Item:
    return Item(
        row["document_id"], row["source"], row["status"], row["stage"], row["chunks"], row["chunks_done"], _error(row),
        row["page_counts"], row["warnings"], row["parent"],
    )  # fmt: skip


def _error(row: DictRow) -> ItemError | None:
    return ItemError(row["error_code"], row["error_detail"]) if row["error_code"] else None

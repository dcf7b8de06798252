"""Work as a worker sees it: claimed with a lease, renewed, ended or given back."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from psycopg.types.json import Jsonb

from app.errors import KyujangError
from app.storage.database import Connection, Database, fetch_all, fetch_one
from app.storage.jobs import ItemStatus, Stage
from app.tenancy import TenantNumber

MAX_ATTEMPTS = 5

# Of an item `i`: it waits, or its worker has died, and no earlier upload of its document is still to come.
CLAIMABLE = """
    ((i.status = 'queued' and i.not_before <= now()) or (i.status = 'running' and i.lease_until < now()))
    and not exists (
        select from job_items earlier
        where earlier.tenant_id = i.tenant_id and earlier.document_id = i.document_id
          and earlier.seq < i.seq and earlier.status in ('queued', 'running'))
"""
# The fields of Work.
AS_WORK = """
    i.tenant_id as tenant, i.job_id, i.n, i.attempt, i.worker, i.document_id, i.source, i.title,
    i.media_type, i.bytes as size, i.sha256, i.metadata, i.blob
"""

# From tenant to tenant along the index, however many documents each has. The first of them that has something to claim
# ends the join, which goes through them in their order.
CLAIM = f"""
with recursive waiting (tenant_id) as (
    select min(tenant_id) from job_items where status in ('queued', 'running')
    union all
    select (select min(i.tenant_id) from job_items i
            where i.status in ('queued', 'running') and i.tenant_id > w.tenant_id)
    from waiting w where w.tenant_id is not null
), next as (
    select i.tenant_id, i.job_id, i.n
    from (select w.tenant_id from waiting w left join ingest_turns t on t.tenant_id = w.tenant_id
          where w.tenant_id is not null order by t.at nulls first, w.tenant_id) w
    cross join lateral (
        select * from job_items i
        where i.tenant_id = w.tenant_id and {CLAIMABLE}
        order by i.seq limit 1 for update skip locked
    ) i limit 1
), turn as (
    insert into ingest_turns (tenant_id, at) select tenant_id, clock_timestamp() from next
    on conflict (tenant_id) do update set at = excluded.at
)
update job_items i
set status = 'running', attempt = i.attempt + 1, worker = %(worker)s,
    lease_until = now() + make_interval(secs => %(lease)s)
from next where i.tenant_id = next.tenant_id and i.job_id = next.job_id and i.n = next.n
returning {AS_WORK}
"""  # noqa: S608 - constants


class LeaseLost(KyujangError):
    """Cancelled, deleted, or taken over by another worker: leave it."""


@dataclass(frozen=True, slots=True)
class Work:
    """One claimed document. `attempt` tells this claim from a later one of the same item."""

    tenant: TenantNumber
    job_id: str
    n: int
    attempt: int
    worker: str
    document_id: str
    source: str | None
    title: str | None
    media_type: str | None
    size: int
    sha256: bytes
    metadata: dict[str, Any] | None
    blob: str

    @property
    def key(self) -> dict[str, Any]:
        return {"tenant": self.tenant, "job": self.job_id, "n": self.n, "worker": self.worker, "attempt": self.attempt}


async def claim(database: Database, worker: str, *, lease_s: float) -> Work | None:
    """A document that waits or whose worker has died: of the tenant that was served longest ago, its oldest.

    Uploads of the same document are taken one after the other, in the order in which they were accepted.
    """
    async with database.operator() as connection:
        row = await fetch_one(connection, CLAIM, {"worker": worker, "lease": lease_s})
    return Work(**row) if row else None


async def renew(database: Database, work: Work, *, lease_s: float) -> None:
    """Raises LeaseLost."""
    async with database.transaction(work.tenant) as connection:
        await hold(connection, work, "lease_until = now() + make_interval(secs => %(lease)s)", {"lease": lease_s})


async def progress(database: Database, work: Work, stage: Stage, *, chunks: int | None = None) -> None:
    async with database.transaction(work.tenant) as connection:
        await hold(
            connection,
            work,
            "stage = %(stage)s, chunks = coalesce(%(chunks)s, chunks)",
            {"stage": stage, "chunks": chunks},
        )


async def is_stored(database: Database, work: Work) -> bool:
    """The same bytes are there already. Not under another title: that is embedded and searched with every chunk."""
    async with database.transaction(work.tenant) as connection:
        row = await fetch_one(
            connection,
            """
            select 1 from documents where tenant_id = %(tenant)s and id = %(id)s and sha256 = %(sha256)s
              and title is not distinct from coalesce(%(title)s::text, title)
            """,
            describe(work),
        )
    return row is not None


async def finish_unchanged(database: Database, work: Work) -> None:
    """What describes the document may have changed all the same."""
    async with database.transaction(work.tenant) as connection:
        await end(connection, work, "unchanged")
        await connection.execute(
            """
            with new as (
                select coalesce(%(source)s::text, source) as source, coalesce(%(metadata)s::jsonb, metadata) as metadata
                from documents where tenant_id = %(tenant)s and id = %(id)s
            )
            update documents d set source = new.source, metadata = new.metadata, updated_at = now()
            from new where d.tenant_id = %(tenant)s and d.id = %(id)s
              and (new.source, new.metadata) is distinct from (d.source, d.metadata)
            """,
            describe(work),
        )


async def fail(database: Database, work: Work, code: str, detail: str) -> None:
    async with database.transaction(work.tenant) as connection:
        await end(connection, work, "failed", code=code, detail=detail)


async def retry_later(database: Database, work: Work, *, delay_s: float, blameless: bool = False) -> None:
    """For faults that pass. `blameless` does not count as an attempt: the worker was told to stop."""
    async with database.transaction(work.tenant) as connection:
        await hold(
            connection,
            work,
            """
            status = 'queued', lease_until = null, not_before = now() + make_interval(secs => %(delay)s),
            attempt = attempt - %(blameless)s::integer
            """,
            {"delay": delay_s, "blameless": blameless},
        )


async def needed_blobs(database: Database, tenant: TenantNumber, blobs: Sequence[str]) -> set[str]:
    """Those that a document has, or an upload or an unchecked adapter waits with."""
    async with database.transaction(tenant) as connection:
        rows = await fetch_all(
            connection,
            """
            select blob from documents where tenant_id = %(tenant)s and blob = any(%(blobs)s)
            union all
            select blob from job_items
            where tenant_id = %(tenant)s and blob = any(%(blobs)s) and status in ('queued', 'running')
            union all
            select blob from adapter_versions where tenant_id = %(tenant)s and blob = any(%(blobs)s)
            """,
            {"tenant": tenant, "blobs": list(blobs)},
        )
    return {row["blob"] for row in rows}


async def end(
    connection: Connection, work: Work, status: ItemStatus, *, code: str | None = None, detail: str | None = None
) -> None:
    await hold(
        connection,
        work,
        """
        status = %(status)s, stage = case when %(code)s::text is null then 'done' else stage end, lease_until = null,
        finished_at = now(), error_code = %(code)s, error_detail = %(detail)s
        """,
        {"status": status, "code": code, "detail": detail},
    )
    if status != "succeeded":
        await unstage_rows(connection, work)


async def hold(connection: Connection, work: Work, change: str, values: dict[str, Any]) -> None:
    """Change the item, provided that it is still this worker's; the row stays locked until the commit."""
    row = await fetch_one(
        connection,
        f"""
        update job_items set {change}
        where tenant_id = %(tenant)s and job_id = %(job)s and n = %(n)s
          and status = 'running' and worker = %(worker)s and attempt = %(attempt)s
        returning n
        """,  # noqa: S608 - `change` is one of the texts above
        {**work.key, **values},
    )
    if row is None:
        raise LeaseLost


async def unstage_rows(connection: Connection, work: Work) -> None:
    await connection.execute(
        "delete from staged_chunks where tenant_id = %(tenant)s and job_id = %(job)s and n = %(n)s", work.key
    )


def describe(work: Work) -> dict[str, Any]:
    return {
        "tenant": work.tenant,
        "id": work.document_id,
        "source": work.source,
        "title": work.title,
        "bytes": work.size,
        "sha256": work.sha256,
        "blob": work.blob,
        "metadata": None if work.metadata is None else Jsonb(work.metadata),
    }

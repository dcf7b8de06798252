"""Documents as a worker sees them: claimed with a lease, renewed, finished, failed or requeued."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from app.errors import KyujangError
from app.storage.database import Connection, Database, fetch_one
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
# The fields of ClaimedDocument.
AS_CLAIMED = """
    i.tenant_id as tenant, i.job_id, i.n as item_number, i.attempt, i.worker, i.document_id, i.source, i.title,
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
returning {AS_CLAIMED}
"""  # noqa: S608 - constants


class LeaseLost(KyujangError):
    """Cancelled, deleted, or taken over by another worker: leave it."""


@dataclass(frozen=True, slots=True)
class ClaimedDocument:
    """One claimed document. `attempt` tells this claim from a later one of the same item."""

    tenant: TenantNumber
    job_id: str
    item_number: int
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
        return {
            "tenant": self.tenant,
            "job": self.job_id,
            "n": self.item_number,
            "worker": self.worker,
            "attempt": self.attempt,
        }


async def claim(database: Database, worker: str, *, lease_s: float) -> ClaimedDocument | None:
    """A document that waits or whose worker has died: of the tenant that was served longest ago, its oldest.

    Uploads of the same document are taken one after the other, in the order in which they were accepted.
    """
    async with database.operator() as connection:
        row = await fetch_one(connection, CLAIM, {"worker": worker, "lease": lease_s})
    return ClaimedDocument(**row) if row else None


async def renew(database: Database, document: ClaimedDocument, *, lease_s: float) -> None:
    """Raises LeaseLost."""
    async with database.transaction(document.tenant) as connection:
        await update_claimed(
            connection, document, "lease_until = now() + make_interval(secs => %(lease)s)", {"lease": lease_s}
        )


async def progress(database: Database, document: ClaimedDocument, *, stage: Stage, chunks: int | None = None) -> None:
    async with database.transaction(document.tenant) as connection:
        await update_claimed(
            connection,
            document,
            "stage = %(stage)s, chunks = coalesce(%(chunks)s, chunks)",
            {"stage": stage, "chunks": chunks},
        )


async def fail(database: Database, document: ClaimedDocument, code: str, detail: str) -> None:
    async with database.transaction(document.tenant) as connection:
        await finish_claimed(connection, document, "failed", code=code, detail=detail)


async def requeue(database: Database, document: ClaimedDocument, *, delay_s: float, count_attempt: bool = True) -> None:
    """Let it be claimed again in `delay_s`. Without `count_attempt` this attempt was not one. Raises LeaseLost."""
    async with database.transaction(document.tenant) as connection:
        await update_claimed(
            connection,
            document,
            """
            status = 'queued', lease_until = null, not_before = now() + make_interval(secs => %(delay)s),
            attempt = attempt - (not %(count_attempt)s)::integer
            """,
            {"delay": delay_s, "count_attempt": count_attempt},
        )


async def finish_claimed(
    connection: Connection,
    document: ClaimedDocument,
    status: ItemStatus,
    *,
    code: str | None = None,
    detail: str | None = None,
) -> None:
    await update_claimed(
        connection,
        document,
        """
        status = %(status)s, stage = case when %(code)s::text is null then 'done' else stage end, lease_until = null,
        finished_at = now(), error_code = %(code)s, error_detail = %(detail)s
        """,
        {"status": status, "code": code, "detail": detail},
    )
    if status != "succeeded":
        await unstage_rows(connection, document)


async def update_claimed(
    connection: Connection, document: ClaimedDocument, change: str, values: dict[str, Any]
) -> None:
    """Change the item, provided that it is still this worker's; the row stays locked until the commit."""
    row = await fetch_one(
        connection,
        f"""
        update job_items set {change}
        where tenant_id = %(tenant)s and job_id = %(job)s and n = %(n)s
          and status = 'running' and worker = %(worker)s and attempt = %(attempt)s
        returning n
        """,  # noqa: S608 - `change` is one of the texts above
        {**document.key, **values},
    )
    if row is None:
        raise LeaseLost


async def unstage_rows(connection: Connection, document: ClaimedDocument) -> None:
    await connection.execute(
        "delete from staged_chunks where tenant_id = %(tenant)s and job_id = %(job)s and n = %(n)s", document.key
    )

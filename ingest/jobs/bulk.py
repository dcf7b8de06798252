"""Documents that one run claims and holds many at a time; a worker holds one item (ingest/jobs/queue.py)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from app.storage.database import Database, fetch_all, fetch_one
from app.storage.tenancy import TenantNumber
from ingest.jobs.queue import CLAIMABLE, LEASED, REQUEUED, ClaimedDocument, claimed_from

HELD = "tenant_id = %(tenant)s and status = 'running' and worker = %(worker)s"


@dataclass(frozen=True, slots=True)
class RunProgress:
    """Progress of a bulk run: two equal snapshots some time apart mean that it has stalled."""

    documents: int
    begun: int
    chunks: int


async def claim(
    database: Database, tenant: TenantNumber, job_ids: Sequence[str], worker: str, *, lease_s: float, limit: int
) -> list[ClaimedDocument]:
    """Claim what these jobs wait for: their documents, and before those earlier uploads under the same ids.

    Of each document one upload at a time. `worker` must be new, for it is what tells this claim from others: to take
    over what a dead run held counts as no attempt, since hardly any of it was to blame.
    """
    async with database.transaction(tenant) as connection:
        rows = await fetch_all(
            connection,
            f"""
            with next as (
                select i.tenant_id, i.job_id, i.n from job_items i
                where i.tenant_id = %(tenant)s and i.kind = 'ingest' and {CLAIMABLE}
                  and exists (
                      select from job_items asked
                      where asked.tenant_id = i.tenant_id and asked.document_id = i.document_id
                        and asked.seq >= i.seq and asked.status in ('queued', 'running')
                        and asked.job_id = any(%(jobs)s))
                order by i.seq limit %(limit)s for update skip locked
            )
            update job_items i
            set status = 'running', attempt = i.attempt + (i.status = 'queued')::integer, worker = %(worker)s, {LEASED}
            from next where i.tenant_id = next.tenant_id and i.job_id = next.job_id and i.n = next.n
            returning i.*
            """,  # noqa: S608 - constants
            {"tenant": tenant, "jobs": list(job_ids), "worker": worker, "lease": lease_s, "limit": limit},
        )
    return [claimed_from(row, ClaimedDocument) for row in rows]


async def renew(database: Database, tenant: TenantNumber, worker: str, *, lease_s: float) -> RunProgress:
    async with database.transaction(tenant) as connection:
        row = await fetch_one(
            connection,
            f"""
            with held as (update job_items set {LEASED} where {HELD} returning stage, chunks_done)
            select count(*) as documents, count(*) filter (where stage <> 'load') as begun,
                   coalesce(sum(chunks_done), 0)::bigint as chunks from held
            """,  # noqa: S608 - constants
            {"tenant": tenant, "worker": worker, "lease": lease_s},
        )
    return RunProgress(**row) if row else RunProgress(0, 0, 0)


async def requeue(
    database: Database, tenant: TenantNumber, worker: str, *, delay_s: float, count_attempt: bool
) -> None:
    """Requeue all that this run still holds. Without `count_attempt` this was not an attempt: the run ended."""
    key = {"tenant": tenant, "worker": worker, "delay": delay_s, "count_attempt": count_attempt}
    async with database.transaction(tenant) as connection:
        await connection.execute(f"update job_items set {REQUEUED} where {HELD}".encode(), key)  # noqa: S608 - constants


async def unfinished(database: Database, tenant: TenantNumber, job_ids: Sequence[str]) -> int:
    """Count the documents of these jobs that wait or are being ingested."""
    async with database.transaction(tenant) as connection:
        row = await fetch_one(
            connection,
            """
            select count(*) as documents from job_items
            where tenant_id = %(tenant)s and job_id = any(%(jobs)s) and status in ('queued', 'running')
            """,
            {"tenant": tenant, "jobs": list(job_ids)},
        )
    return row["documents"] if row else 0

"""Documents that one run claims and holds many at a time; a worker holds one item (ingest/jobs/queue.py)."""

from __future__ import annotations

from collections.abc import Sequence

from app.storage.database import Database, fetch_all
from app.storage.jobs import Stage
from app.storage.tenancy import TenantNumber
from ingest.jobs.claiming import CLAIM_NEXT, CLAIMABLE, HELD, LEASED, REQUEUED
from ingest.jobs.queue import CLAIMED, ClaimedDocument, ClaimedRechunk, claimed_from

CLAIM = f"""
with next as (
    select i.tenant_id, i.job_id, i.n from job_items i
    where i.tenant_id = %(tenant)s and i.kind in ('ingest', 'rechunk') and {CLAIMABLE}
      and exists (
          select from job_items asked
          where asked.tenant_id = i.tenant_id and asked.document_id = i.document_id and asked.seq >= i.seq
            and asked.status in ('queued', 'running') and asked.job_id = any(%(jobs)s))
    order by i.seq limit %(limit)s for update skip locked
)
{CLAIM_NEXT} returning i.*
"""  # noqa: S608 - constants


async def claim(
    database: Database, tenant: TenantNumber, job_ids: Sequence[str], worker: str, *, lease_s: float, limit: int
) -> list[ClaimedDocument | ClaimedRechunk]:
    """Claim what these jobs wait for: their documents, and before those what was accepted earlier for the same ids.

    `worker` must be new. What a dead run held counts as no attempt, since hardly any of it was to blame.
    """
    key = {"tenant": tenant, "jobs": list(job_ids), "worker": worker, "lease": lease_s, "limit": limit}
    async with database.transaction(tenant) as connection:
        rows = await fetch_all(connection, CLAIM, {**key, "count_death": False})
    return [claimed_from(row, CLAIMED[row["kind"]]) for row in rows]


async def renew(
    database: Database, tenant: TenantNumber, worker: str, *, lease_s: float
) -> list[tuple[str, int, Stage, int]]:
    """Renew all that this run holds; return (job, number, stage, chunks done) of each."""
    query = f"update job_items set {LEASED} where {HELD} returning job_id, n, stage, chunks_done"  # noqa: S608 - ours
    async with database.transaction(tenant) as connection:
        rows = await fetch_all(connection, query, {"tenant": tenant, "worker": worker, "lease": lease_s})
    return sorted(tuple(row.values()) for row in rows)


async def requeue(
    database: Database, tenant: TenantNumber, worker: str, *, delay_s: float, count_attempt: bool
) -> None:
    """Requeue all that this run still holds."""
    key = {"tenant": tenant, "worker": worker, "delay": delay_s, "count_attempt": count_attempt}
    async with database.transaction(tenant) as connection:
        await connection.execute(f"update job_items set {REQUEUED} where {HELD}".encode(), key)  # noqa: S608 - ours

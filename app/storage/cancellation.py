"""Cancels what is queued or running of jobs; what it has staged goes with it."""

from __future__ import annotations

from typing import Any

from app.storage.database import Connection, Database, fetch_one, seeing_all
from app.storage.jobs import Job, read
from app.storage.tenancy import TenantNumber, parts_seen


async def cancel_job(database: Database, tenant: TenantNumber, job_id: str) -> Job:
    """Cancel what is queued or running; what is done stays. Raises NotFound."""
    async with database.transaction(tenant) as connection:
        if (seen := parts_seen()) is None:
            await cancel_items(connection, tenant, "job_id = %(job)s", {"job": job_id})
        else:
            # Whether the job has ended is told by all of its items.
            async with seeing_all(connection):
                inside = "job_id = %(job)s and parts && %(seen)s::integer[]"
                await cancel_items(connection, tenant, inside, {"job": job_id, "seen": seen})
        return await read(connection, tenant, job_id)


async def cancel_items(connection: Connection, tenant: TenantNumber, where: str, key: dict[str, Any]) -> int:
    """Cancel the unfinished items for which `where` holds, and return how many. A worker notices at its next write."""
    row = await fetch_one(
        connection,
        f"""
        with cancelled as (
            update job_items set status = 'cancelled', finished_at = now(), lease_until = null
            where tenant_id = %(tenant)s and status in ('queued', 'running') and {where}
            returning job_id, n
        ), unstaged_chunks as (
            delete from staged_chunks where (tenant_id, job_id, n) in (select %(tenant)s, job_id, n from cancelled)
        ), unstaged_pages as (
            delete from staged_pages where (tenant_id, job_id, n) in (select %(tenant)s, job_id, n from cancelled)
        )
        select count(*) from cancelled
        """,  # noqa: S608 - `where` is a text of ours
        {"tenant": tenant, **key},
    )
    assert row is not None
    return int(row["count"])

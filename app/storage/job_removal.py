"""Removes jobs: those that have ended long ago, and reports that are not wanted any more."""

from __future__ import annotations

from app.errors import Conflict, NotFound
from app.storage import audit
from app.storage.database import Database, fetch_all, fetch_one
from app.storage.jobs import TaskKind
from app.storage.tenancy import TenantNumber

# So many are deleted in one transaction.
AT_ONCE = 500


async def remove_finished_jobs(database: Database, tenant: TenantNumber, *, older_than_days: float) -> int:
    """Remove the jobs of documents, checks and maps that ended longer ago; return how many.

    Reports of evaluations and trainings stay.
    """
    removed = 0
    while True:
        async with database.transaction(tenant) as connection:
            gone = await fetch_all(
                connection,
                """
                with finished as (
                    select j.id from jobs j
                    where j.tenant_id = %(tenant)s and j.kind in ('ingest', 'rechunk', 'check', 'map', 'neighbours')
                      and j.created_at < now() - make_interval(secs => %(age)s)
                      and not exists (
                          select from job_items i where i.tenant_id = j.tenant_id and i.job_id = j.id
                            and (i.finished_at is null or i.finished_at >= now() - make_interval(secs => %(age)s)))
                    limit %(most)s
                )
                delete from jobs using finished where tenant_id = %(tenant)s and jobs.id = finished.id returning jobs.id
                """,
                {"tenant": tenant, "age": older_than_days * 86400, "most": AT_ONCE},
            )
        removed += len(gone)
        if len(gone) < AT_ONCE:
            return removed


async def delete_task(database: Database, tenant: TenantNumber, job_id: str, kind: TaskKind) -> None:
    """Delete a task of this kind with all that was sent and found. Raises NotFound, or Conflict before it has ended."""
    key = {"tenant": tenant, "job": job_id, "kind": kind}
    async with database.transaction(tenant) as connection:
        task = await fetch_one(
            connection,
            """
            select finished_at from job_items
            where tenant_id = %(tenant)s and job_id = %(job)s and n = 0 and kind = %(kind)s for update
            """,
            key,
        )
        if task is None:
            raise NotFound
        if task["finished_at"] is None:
            raise Conflict("It has not ended: cancel it first, with DELETE /jobs/{id}.")
        await connection.execute("delete from idempotency_keys where tenant_id = %(tenant)s and job_id = %(job)s", key)
        await connection.execute("delete from jobs where tenant_id = %(tenant)s and id = %(job)s", key)
        await audit.record(connection, tenant, "delete", "report", job_id)

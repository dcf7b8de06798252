"""Accepts stored documents to be read and cut again, from the files that are stored with them."""

from __future__ import annotations

from typing import Any

from app import tracing
from app.storage import parts
from app.storage.database import Connection, Database, fetch_all, see_all, without_time_limits
from app.storage.filter_sql import compile_filter
from app.storage.filters import Filter
from app.storage.idempotency import Idempotency, first_job
from app.storage.job_creation import new_id
from app.storage.jobs import Job, read
from app.storage.processing import IS_OUTDATED, Processing
from app.storage.tenancy import TenantNumber, parts_seen
from app.storage.usage import payer


async def create_rechunk_job(
    database: Database,
    tenant: TenantNumber,
    processing: Processing,
    where: Filter | None,
    request: Idempotency | None = None,
) -> tuple[Job, bool]:
    """Accept the matching documents that are outdated. False if `request` has made the job before.

    A document that waits for this already is not accepted again.
    """
    job_id = new_id()
    condition = compile_filter(where) if where else None
    key = processing.key | (condition.parameters if condition else {})
    async with database.transaction(tenant) as connection:
        await parts.hold(connection, tenant)
        first = await first_job(connection, tenant, request, job_id) if request else job_id
        if first == job_id:
            # One statement, however many documents there are.
            await without_time_limits(connection)
            which = f"{IS_OUTDATED} and {condition.sql if condition else 'true'} and {NOT_WAITING}"
            if parts_seen() is not None:
                rows = await fetch_all(connection, INSIDE.format(which=which), key | {"tenant": tenant})
                which, key = "d.id = any(%(ids)s)", {"ids": [row["id"] for row in rows]}
            await see_all(connection)
            await insert_rechunk_job(connection, tenant, job_id, which, key)
        return await read(connection, tenant, first), first == job_id


# Found before the transaction sees all, which it has to for writing.
INSIDE = "select d.id from documents d where d.tenant_id = %(tenant)s and {which}"
NOT_WAITING = """
    not exists (
        select from job_items i
        where i.tenant_id = d.tenant_id and i.document_id = d.id and i.kind = 'rechunk'
          and i.status in ('queued', 'running'))
"""


async def insert_rechunk_job(
    connection: Connection, tenant: TenantNumber, job_id: str, where: str, key: dict[str, Any]
) -> None:
    """Accept the documents `d` for which `where` holds, in the caller's transaction."""
    key = {**key, "tenant": tenant, "job": job_id, "payer": payer.get(), "traceparent": tracing.at_hand()}
    await connection.execute(
        """
        insert into jobs (tenant_id, id, kind, key_id, traceparent)
        values (%(tenant)s, %(job)s, 'rechunk', nullif(%(payer)s, ''), %(traceparent)s)
        """,
        key,
    )
    await connection.execute(
        f"""
        insert into job_items (tenant_id, job_id, n, kind, document_id, source, size, parent)
        select d.tenant_id, %(job)s, row_number() over (order by d.id) - 1, 'rechunk', d.id, d.source, d.bytes,
               d.parent
        from documents d where d.tenant_id = %(tenant)s and {where} order by d.id
        """.encode(),  # noqa: S608 - a condition holds its values as parameters
        key,
    )
    await parts.judge_items(connection, tenant, "i.job_id = %(job)s", {"job": job_id})

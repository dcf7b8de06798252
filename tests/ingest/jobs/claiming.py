"""Documents that one tenant has accepted, who takes them in, and what is stored of them afterwards."""

from __future__ import annotations

import asyncio
import json

import numpy as np

from app.storage.jobs import get_job
from ingest.cleanup import remove_noted
from ingest.jobs import queue
from ingest.sync.folder import find
from ingest.sync.in_database import accept
from ingest.worker import run

MANY = 24


async def accepted(services, tenant, folder):
    return await accept(services, tenant, find([folder], include=[], exclude=[]), {"from": "Ray"})


async def outcomes(services, tenant, job_ids):
    """Document to status, or to the reason where it failed."""
    found = [await get_job(services.database, tenant, job_id) for job_id in job_ids]
    return {item.id: item.error.code if item.error else item.status for job in found for item in job.documents}


async def by_worker(services, tenant, job_ids):
    stop = asyncio.Event()
    worker = asyncio.create_task(run(services, stop))
    async with asyncio.timeout(600):
        while await queue.unfinished(services.database, "ingest", job_ids):
            await asyncio.sleep(0.1)
    stop.set()
    await worker
    return await outcomes(services, tenant, job_ids)


async def query(services, tenant, text):
    async with services.database.transaction(tenant) as connection:
        return await (await connection.execute(text)).fetchall()


async def stored(services, tenant):
    """What each chunk is, and the vectors in the same order."""
    table = f"vectors_{services.spaces.current.number}"
    rows = await query(
        services,
        tenant,
        f"""
        select c.document_id, c.ord, c.page, c.start, c.stop, c.tokens, c.content, v.embedding::text as vector
        from chunks c join {table} v on v.tenant_id = c.tenant_id and v.chunk_id = c.id
        order by c.document_id, c.ord
        """,
    )
    return [list(row.values())[:-1] for row in rows], np.array([json.loads(row["vector"]) for row in rows])


async def whole(services, tenant, documents):
    """Each document once with all of its chunks, and nothing that was on its way."""
    chunks, _ = await stored(services, tenant)
    counted = await query(services, tenant, "select id, chunks from documents")
    assert len(counted) == documents
    assert {row["id"]: row["chunks"] for row in counted} == {
        name: sum(1 for chunk in chunks if chunk[0] == name) for name in {chunk[0] for chunk in chunks}
    }
    assert await query(services, tenant, "select from staged_chunks") == []
    await remove_noted(services)
    assert len(list((services.settings.blobs / str(tenant)).iterdir())) == documents

"""Tenants deleted within a test, as a worker does it."""

from __future__ import annotations

import asyncio

from app.services import Services
from app.storage import tenant_deletions
from app.storage.database import Database
from app.storage.tenancy import TenantNumber
from app.storage.tenant_deletions import Deletion
from app.storage.tenant_rows import delete_rows
from ingest import tenant_deletion

WORKER = "test"


async def worked_off(services: Services, slug: str) -> Deletion:
    """Return the deletion of a tenant when it has ended; without the fixture `settled` that takes long."""
    async with asyncio.timeout(30):
        while True:
            await tenant_deletion.delete_next(services, WORKER)
            deletion = await tenant_deletions.newest(services.database, slug)
            if deletion.finished_at is not None:
                return deletion
            await asyncio.sleep(0.05)


async def without_rows(database: Database, slug: str) -> TenantNumber:
    """Delete a tenant's rows alone; return its number."""
    await tenant_deletions.accept(database, slug)
    claimed = await tenant_deletions.claim(database, WORKER, lease_s=60)
    assert claimed is not None
    await delete_rows(database, claimed)
    await tenant_deletions.finish(database, claimed)
    return claimed.tenant

"""Move adapters from the folder to object storage while they are served. Run again, it goes on where it ended."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

from app.storage.adapter_archives import save_version
from app.storage.database import Database, fetch_all
from app.storage.object_storage import ObjectStorage
from app.storage.tenancy import TenantNumber


async def move_adapters(database: Database, folder: Path, storage: ObjectStorage) -> int:
    """Store all that lie in the folder; return how many. Raises StorageUnavailable.

    The service has to use this object storage already. The folders stay for engines that run: for
    KYUJANG_ADAPTER_GRACE_H from now.
    """
    moved = 0
    for tenant, name in await _in_folder(database):
        there = folder / str(tenant) / name
        if await asyncio.to_thread(there.is_dir):
            archive = await save_version(storage, tenant, name, there)
            await asyncio.to_thread(os.utime, there)
            await _record(database, tenant, name, archive.digest)
            moved += 1
    return moved


async def _in_folder(database: Database) -> list[tuple[TenantNumber, str]]:
    async with database.operator() as connection:
        rows = await fetch_all(
            connection,
            """
            select tenant_id, engine_name from adapter_versions
            where published and digest is null and deleted_at is null and status not in ('rejected', 'failed')
            order by tenant_id, engine_name
            """,
        )
    return [(row["tenant_id"], row["engine_name"]) for row in rows]


async def _record(database: Database, tenant: TenantNumber, engine_name: str, digest: str) -> None:
    async with database.transaction(tenant) as connection:
        await connection.execute(
            """
            update adapter_versions set digest = decode(%(digest)s, 'hex')
            where tenant_id = %(tenant)s and engine_name = %(engine_name)s and deleted_at is null
            """,
            {"tenant": tenant, "engine_name": engine_name, "digest": digest},
        )

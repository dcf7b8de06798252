"""Move uploaded files from the folder to object storage while they are used. Run again, it goes on where it ended."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from app.storage import removals
from app.storage.blobs import FolderBlobs, by_tenant
from app.storage.database import Database, fetch_all
from app.storage.object_blobs import key
from app.storage.object_storage import ObjectStorage
from app.storage.removals import RemovalsHeld
from app.storage.tenancy import TenantNumber

LOOKED_UP_AT_ONCE = 1000
COPIED_AT_ONCE = 8

Tell = Callable[[str, int, int], None]
"""Is told a step, the bytes done and the bytes in all; 0 where they are not known."""


@dataclass
class Moved:
    """Files, by what became of them."""

    copied: int = 0
    copied_bytes: int = 0
    there_already: int = 0
    removed_from_folder: int = 0
    adapters: int = 0
    held_by_backup: int = 0
    """Stay in the folder, since a backup is being made."""
    damaged: list[str] = field(default_factory=list)
    """Are not what was uploaded: they stay in the folder, and are not in object storage."""


async def move_blobs(database: Database, folder: Path, storage: ObjectStorage, *, remove: bool, tell: Tell) -> Moved:
    """Copy the files that documents, waiting uploads and adapters have; `remove`: and remove them from the folder.

    Raises StorageUnavailable.
    """
    blobs, moved = FolderBlobs(folder), Moved()
    async for tenant, some in by_tenant(blobs.list_older(0), at_once=LOOKED_UP_AT_ONCE):
        named = await _hashes(database, tenant, some)
        stored: list[str] = []
        for first in range(0, len(named), COPIED_AT_ONCE):
            paths = list(named)[first : first + COPIED_AT_ONCE]
            copies = (_copy(storage, path, blobs.locate(path), named[path], moved) for path in paths)
            stored += [path for path, done in zip(paths, await asyncio.gather(*copies), strict=True) if done]
            tell("files", moved.copied_bytes, 0)
        if remove:
            await _remove(database, tenant, blobs, stored, moved)
    return moved


async def _hashes(database: Database, tenant: TenantNumber, blobs: Sequence[str]) -> dict[str, bytes]:
    """Return what those of `blobs` must be that a row names. What no row names is not moved: the sweep removes it."""
    async with database.transaction(tenant) as connection:
        rows = await fetch_all(
            connection,
            """
            select blob, sha256 from documents where tenant_id = %(tenant)s and blob = any(%(blobs)s)
            union
            select blob, sha256 from job_items
            where tenant_id = %(tenant)s and blob = any(%(blobs)s) and status in ('queued', 'running')
            union
            select blob, sha256 from adapter_versions where tenant_id = %(tenant)s and blob = any(%(blobs)s)
            """,
            {"tenant": tenant, "blobs": list(blobs)},
        )
    return {row["blob"]: row["sha256"] for row in rows}


async def _copy(storage: ObjectStorage, path: str, file: Path, sha256: bytes, moved: Moved) -> bool:
    """Copy a file unless it is there; return whether it is there now."""
    try:
        content = await asyncio.to_thread(file.open, "rb")
    except FileNotFoundError:
        # Replaced or deleted a moment ago.
        return False
    with content:
        try:
            if await storage.size(key(path)) == (await asyncio.to_thread(file.stat)).st_size:
                moved.there_already += 1
                return True
        except FileNotFoundError:
            pass
        stored = await storage.put(key(path), content)
    if stored.sha256 != sha256:
        await storage.remove([key(path)])
        moved.damaged.append(path)
        return False
    moved.copied += 1
    moved.copied_bytes += stored.size
    return True


async def _remove(
    database: Database, tenant: TenantNumber, blobs: FolderBlobs, paths: Sequence[str], moved: Moved
) -> None:
    """Remove files from the folder, unless a backup may be copying them from there."""
    try:
        await removals.needed_blobs(database, tenant, [])
    except RemovalsHeld:
        moved.held_by_backup += len(paths)
        return
    await blobs.remove(paths)
    moved.removed_from_folder += len(paths)

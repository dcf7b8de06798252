"""Remove adapters from object storage that nothing needs any more. Engines have copies of their own."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from app.services import Services
from app.storage import removals
from app.storage.adapter_archives import ARCHIVES, is_archive
from app.storage.blobs import LOOKED_UP_AT_ONCE
from app.storage.object_storage import ObjectStorage
from app.storage.tenancy import TenantNumber

log = logging.getLogger("kyujang.sweep")

# A file exists some moments before the row that names it.
OLDER_THAN_S = 3600


async def remove_archives(services: Services, tenant: TenantNumber, noted: Sequence[str]) -> None:
    """Remove what the outbox notes of this tenant, but what a version in use has.

    Raises RemovalsHeld, StorageUnavailable.
    """
    storage = services.storage
    if storage is None:
        return
    if archives := [path for path in noted if is_archive(path)]:
        await _remove_needless(services, storage, archives)
    if any(path.endswith("/") for path in noted):
        await storage.remove_folder(f"{ARCHIVES}/{tenant}")


async def sweep_archives(services: Services, *, older_than_s: float = OLDER_THAN_S) -> int:
    """Remove what a killed worker has left, or one whose version was deleted meanwhile; return how many."""
    storage = services.storage
    if storage is None:
        return 0
    before = datetime.now(UTC) - timedelta(seconds=older_than_s)
    old = [each.path async for each in storage.list(ARCHIVES) if each.modified < before]
    gone = 0
    for first in range(0, len(old), LOOKED_UP_AT_ONCE):
        gone += await _remove_needless(services, storage, old[first : first + LOOKED_UP_AT_ONCE])
    if gone:
        log.info("adapter files removed", extra={"count": gone})
    return gone


async def _remove_needless(services: Services, storage: ObjectStorage, paths: Sequence[str]) -> int:
    needed = await removals.needed_archives(services.database, [path.split("/")[2] for path in paths])
    gone = [path for path in paths if path not in needed]
    await storage.remove(gone)
    return len(gone)

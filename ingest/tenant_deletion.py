"""Deletes tenants: rows, what engines have loaded, files, what processes keep. Whatever is interrupted goes on here or
in another worker, since each step can be repeated."""

from __future__ import annotations

import asyncio
import logging
import shutil
from pathlib import Path

from app import logs
from app.adapters.reconciler import unload_tenant
from app.errors import DatabaseUnavailable, KyujangError, Unavailable
from app.services import Services
from app.storage import removals, tenant_deletions
from app.storage.adapter_archives import ARCHIVES
from app.storage.removals import RemovalsHeld
from app.storage.tenant_deletions import ClaimedDeletion, DeletionLost
from app.storage.tenant_rows import delete_rows
from ingest.adapters.publish import remove
from ingest.cleanup import remove_noted
from ingest.jobs.queue import worker_name
from ingest.tune.task import sweep_trainings

log = logging.getLogger("kyujang.deletion")

EVERY_S = 2
WAIT_S = 3
# Until then requests and streams that had begun see that their key is gone (app/api/sse.py), workers that their items
# are, and each process forgets the tenant (app/retrieval/live_spaces.py).
SETTLED_S = 20
HELD = "A backup that is being made holds the files."
BEGUN = "What had begun before ends within seconds."


class NotYet(KyujangError):
    """Something else has to end first."""


async def delete_forever(services: Services) -> None:
    """Delete the tenants that the operator wants deleted, until cancelled."""
    worker = worker_name()
    while True:
        try:
            await services.spaces.forget_deleted()
            while await delete_next(services, worker):
                pass
        except Unavailable as error:
            log.warning("deletions wait", extra={"cause": error.detail})
        await asyncio.sleep(EVERY_S)


async def delete_next(services: Services, worker: str) -> bool:
    """Claim a deletion and go on with it as far as possible. Return False if there is none."""
    claimed = await tenant_deletions.claim(services.database, worker, lease_s=services.settings.lease_s)
    if claimed is None:
        return False
    logs.tenant_id.set(str(claimed.tenant))
    try:
        await _delete(services, claimed)
        log.info("tenant deleted")
    except DeletionLost:
        log.info("another worker deletes the tenant")
    except DatabaseUnavailable:
        raise
    except (NotYet, RemovalsHeld, Unavailable, OSError) as error:
        waiting_for = HELD if isinstance(error, RemovalsHeld) else str(error)
        await tenant_deletions.postpone(services.database, claimed, waiting_for, delay_s=WAIT_S)
    return True


async def _delete(services: Services, claimed: ClaimedDeletion) -> None:
    folder = services.settings.adapters / str(claimed.tenant)
    sizes = await _published_sizes(services, claimed, folder)
    await delete_rows(services.database, claimed, published_files=len(sizes), published_bytes=sum(sizes))
    await services.spaces.forget(claimed.tenant)
    claimed = await tenant_deletions.renew(services.database, claimed)
    if claimed.age_s < SETTLED_S + services.settings.lease_s / 3:
        raise NotYet(BEGUN)
    await _unload(services, claimed)
    await _remove_files(services, claimed, folder)
    # A request that had begun may have asked an engine for one between the two.
    await _unload(services, claimed)
    await tenant_deletions.finish(services.database, claimed)


async def _unload(services: Services, claimed: ClaimedDeletion) -> None:
    """An engine dies of an adapter whose files are gone."""
    if services.engine is not None and claimed.adapters:
        await unload_tenant(services.engine, claimed.tenant)


async def _remove_files(services: Services, claimed: ClaimedDeletion, folder: Path) -> None:
    await removals.refuse_while_held(services.database)
    await asyncio.to_thread(_remove_adapters, folder)
    await sweep_trainings(services)
    # Once more, for what came after the row had gone.
    await removals.note(services.database, claimed.tenant, f"{claimed.tenant}/")
    while await removals.are_left(services.database, claimed.tenant):
        if not await remove_noted(services):
            await removals.refuse_while_held(services.database)
        claimed = await tenant_deletions.renew(services.database, claimed)


def _remove_adapters(folder: Path) -> None:
    if folder.is_dir():
        for version in folder.iterdir():
            remove(version)
        shutil.rmtree(folder)


async def _published_sizes(services: Services, claimed: ClaimedDeletion, folder: Path) -> list[int]:
    """Return the sizes of the adapters' files that engines get: those in the folder, those in object storage."""
    in_folder = await asyncio.to_thread(lambda: [path.stat().st_size for path in folder.rglob("*") if path.is_file()])
    if services.storage is None:
        return in_folder
    return in_folder + [each.size async for each in services.storage.list(f"{ARCHIVES}/{claimed.tenant}/")]

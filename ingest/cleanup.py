"""Removes files that nothing needs any more: those a killed process left behind, and those of deleted adapters."""

from __future__ import annotations

import asyncio
import logging
import time
from datetime import timedelta
from itertools import groupby
from operator import attrgetter
from pathlib import Path

from app.adapters import activation
from app.errors import Unavailable
from app.services import Services
from app.storage import audit, query_log, removals, tenant_deletions, webhook_outbox
from app.storage.adapter_archives import is_archive
from app.storage.blobs import by_tenant, written_at
from app.storage.job_removal import remove_finished_jobs
from app.storage.removals import RemovalsHeld
from app.storage.tenancy import TenantNumber
from app.storage.tenants import tenant_numbers
from ingest.adapters.publish import UNFINISHED, remove
from ingest.adapters.removal import OLDER_THAN_S, remove_archives, sweep_archives
from ingest.tune.task import sweep_trainings

log = logging.getLogger("kyujang.sweep")

NOTED_EVERY_S = 2
NOTED_AT_ONCE = 1000
EVERY_S = 3600
DELIVERIES_KEPT_DAYS = 7


async def remove_noted_forever(services: Services) -> None:
    """Remove files soon after the last row that named them has gone, until cancelled."""
    while True:
        try:
            while await remove_noted(services) == NOTED_AT_ONCE:
                pass
        except RemovalsHeld:
            pass
        except (Unavailable, OSError) as error:
            log.warning("files could not be removed", extra={"cause": str(error)})
        await asyncio.sleep(NOTED_EVERY_S)


async def run_forever(services: Services) -> None:
    """Remove every hour what nothing needs any more, until cancelled."""
    while True:
        try:
            await sweep(services)
            await sweep_adapters(services)
            await sweep_archives(services)
            await sweep_trainings(services)
            await sweep_jobs(services)
            await sweep_queries(services)
            await sweep_deliveries(services)
            await audit.remove_old(services.database, older_than_days=services.settings.audit_days)
        except RemovalsHeld:
            log.info("files are removed after the backup that is being made")
        except (Unavailable, OSError) as error:
            log.warning("files could not be removed", extra={"cause": str(error)})
        await asyncio.sleep(EVERY_S)


async def remove_noted(services: Services) -> int:
    """Remove the files of NOTED_AT_ONCE rows of the outbox at most, unless a backup holds them; return how many rows.

    A crash before the rows go repeats it.
    """
    due = await removals.list_due(services.database, limit=NOTED_AT_ONCE)
    for tenant, of_tenant in groupby(sorted(due, key=attrgetter("tenant")), key=attrgetter("tenant")):
        noted = [each.path for each in of_tenant]
        await remove_archives(services, tenant, noted)
        paths = [path for path in noted if not is_archive(path)]
        needed = await removals.needed_blobs(services.database, tenant, paths)
        await services.blobs.remove(path for path in paths if path not in needed)
    await removals.finish(services.database, due)
    return len(due)


async def sweep(services: Services, *, older_than_s: float = OLDER_THAN_S) -> int:
    """Remove blobs that no document and no waiting upload refers to; return how many.

    Below OLDER_THAN_S only while nothing is being uploaded.
    """
    gone = 0
    async for tenant, some in by_tenant(services.blobs.list_older(older_than_s)):
        gone += await _remove_needless(services, tenant, some)
    if gone:
        log.info("blobs removed", extra={"count": gone})
    return gone


async def _remove_needless(services: Services, tenant: TenantNumber, blobs: list[str]) -> int:
    """Remove those of a tenant's blobs that nothing refers to; return how many."""
    needed = await removals.needed_blobs(services.database, tenant, blobs)
    needless = [blob for blob in blobs if blob not in needed]
    await services.blobs.remove(needless)
    return len(needless)


async def sweep_jobs(services: Services) -> int:
    """Remove jobs that have ended KYUJANG_JOBS_KEPT_DAYS ago, and what is told of tenants deleted then; return how many
    jobs."""
    await tenant_deletions.remove_finished(services.database, older_than_days=services.settings.jobs_kept_days)
    gone = 0
    for tenant in await tenant_numbers(services.database):
        days = services.settings.jobs_kept_days
        gone += await remove_finished_jobs(services.database, TenantNumber(tenant), older_than_days=days)
    if gone:
        log.info("finished jobs removed", extra={"count": gone})
    return gone


async def sweep_queries(services: Services) -> None:
    """Remove logged questions that their tenants do not keep any more."""
    for tenant in await tenant_numbers(services.database):
        await query_log.remove_old(services.database, TenantNumber(tenant))


async def sweep_deliveries(services: Services) -> None:
    """Remove what webhooks were told, or could not be, DELIVERIES_KEPT_DAYS ago."""
    for tenant in await tenant_numbers(services.database):
        await webhook_outbox.remove_old(services.database, TenantNumber(tenant), older_than_days=DELIVERIES_KEPT_DAYS)


async def sweep_adapters(services: Services, *, unfinished_s: float = OLDER_THAN_S) -> int:
    """Remove folders of adapters deleted a while ago, of deleted tenants, and unfinished ones; return how many.

    An engine that reads a removed file dies with all its requests, hence KYUJANG_ADAPTER_GRACE_H.
    """
    settings, now = services.settings, time.time()
    grace = timedelta(hours=settings.adapter_grace_h)
    found = await asyncio.to_thread(_adapters, settings.adapters)
    kept = await activation.kept(services.database, grace)
    gone = 0
    for folder, changed in found:
        finished = not folder.name.startswith(UNFINISHED)
        if folder.name in kept or now - changed < (grace.total_seconds() if finished else unfinished_s):
            continue
        await asyncio.to_thread(remove, folder)
        await activation.files_removed(services.database, TenantNumber(int(folder.parent.name)), folder.name)
        gone += 1
    if gone:
        log.info("adapter files removed", extra={"count": gone})
    return gone


def _adapters(folder: Path) -> list[tuple[Path, float]]:
    return [
        (each, written_at(each))
        for tenant in folder.glob("*")
        if tenant.name.isdecimal() and tenant.is_dir()
        for each in tenant.iterdir()
    ]

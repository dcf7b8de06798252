"""Blobs that no document and no waiting upload refers to: what a killed process has left behind."""

from __future__ import annotations

import asyncio
import logging
import time
from pathlib import Path

from app.errors import DatabaseUnavailable
from app.services import Services
from app.tenants import tenant_numbers
from ingest import jobs

log = logging.getLogger("kyujang.sweep")

EVERY_S = 3600
# An upload's blob is there some moments before its job is.
OLDER_THAN_S = 3600
LOOKED_UP_AT_ONCE = 10_000


async def keep_swept(services: Services) -> None:
    while True:
        try:
            await sweep(services)
        except (DatabaseUnavailable, OSError) as error:
            log.warning("blobs could not be swept", extra={"cause": str(error)})
        await asyncio.sleep(EVERY_S)


async def sweep(services: Services, *, older_than_s: float = OLDER_THAN_S) -> int:
    """How many blobs are gone. Below OLDER_THAN_S only while nothing is being uploaded."""
    candidates = await asyncio.to_thread(_older, services.settings.blobs, time.time() - older_than_s)
    tenants = await tenant_numbers(services.database)
    gone = 0
    for folder, blobs in candidates.items():
        for first in range(0, len(blobs), LOOKED_UP_AT_ONCE):
            some = blobs[first : first + LOOKED_UP_AT_ONCE]
            needed = await jobs.needed_blobs(services.database, int(folder), some) if int(folder) in tenants else set()
            needless = [blob for blob in some if blob not in needed]
            await services.blobs.remove(needless)
            gone += len(needless)
    if gone:
        log.info("blobs swept away", extra={"count": gone})
    return gone


def _older(folder: Path, than: float) -> dict[str, list[str]]:
    """By the tenant's number: paths as documents name them."""
    found: dict[str, list[str]] = {}
    for tenant in folder.glob("*"):
        if tenant.name.isdecimal() and tenant.is_dir():
            found[tenant.name] = [f"{tenant.name}/{blob.name}" for blob in tenant.iterdir() if _written(blob) < than]
    return found


def _written(blob: Path) -> float:
    """When it was written; never, if it is gone by now."""
    try:
        return blob.stat().st_mtime
    except FileNotFoundError:
        return float("inf")

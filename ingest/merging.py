"""Merge the postings of tenants whose chunks have changed, beside the worker's other work."""

from __future__ import annotations

import asyncio
import logging
from functools import partial

from app.errors import KyujangError, Unavailable
from app.services import Services
from app.storage import posting_merges
from app.storage.database import Database
from app.storage.tenancy import TenantNumber
from app.storage.tenants import tenant_versions
from app.work_metrics import WorkMetrics

log = logging.getLogger("kyujang.merging")

EVERY_S = 5


async def merge_forever(services: Services) -> None:
    """Merge what is due, until cancelled."""
    merger = Merger(services.database, services.metrics.work)
    while True:
        try:
            await merger.merge()
        except Unavailable as error:
            log.warning("tenants could not be looked at for postings to merge", extra={"cause": error.detail})
        await asyncio.sleep(EVERY_S)


class Merger:
    """Looks again at tenants that have changed, and at those whose deletions are still to be merged."""

    def __init__(self, database: Database, metrics: WorkMetrics) -> None:
        self._database = database
        self._metrics = metrics
        self._done: dict[TenantNumber, int] = {}
        self._in_rows: dict[TenantNumber, int] = {}

    async def merge(self) -> None:
        versions = await tenant_versions(self._database)
        for tenant, version in versions.items():
            if self._done.get(tenant) != version and not await self._is_due_again(tenant):
                self._done[tenant] = version
        for gone in self._in_rows.keys() - versions.keys():
            del self._in_rows[gone]
            self._done.pop(gone, None)

    async def _is_due_again(self, tenant: TenantNumber) -> bool:
        try:
            return await posting_merges.merge_due(self._database, tenant, partial(self._show, tenant))
        except KyujangError as error:
            # Another worker may have been faster, or the tenant is being deleted.
            log.warning("postings could not be merged", extra={"tenant": tenant, "cause": error.detail})
        except Exception:
            # One tenant's fault keeps no other's postings from being merged.
            log.exception("postings could not be merged", extra={"tenant": tenant})
        return True

    def _show(self, tenant: TenantNumber, in_rows: int) -> None:
        self._in_rows[tenant] = in_rows
        self._metrics.unmerged_chunks.set(sum(self._in_rows.values()))

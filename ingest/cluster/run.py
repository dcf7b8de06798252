"""`python -m ingest add … --engine ray`: accepted documents, ingested by a Ray Data pipeline over a cluster."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from dataclasses import dataclass

from pydantic import SecretStr

from app.errors import KyujangError
from app.services import Services
from app.settings import Settings
from app.tenancy import TenantNumber
from ingest.bulk_worker import BulkWorker
from ingest.cluster.driver import Driver, DriverEnded
from ingest.jobs.queue import ClaimedDocument

log = logging.getLogger("kyujang.ray")

DRIVERS = 2
AGAIN = "Ray ended its driver; another one is started"
ENDED = (
    "Ray ended its driver {times} times. Its logs may say why, by default under /tmp/ray/session_latest/logs. "
    "Run the same command again: it continues where this one stopped."
)


@dataclass
class RayEngine:
    settings: Settings
    driver: Driver
    drivers_ended: int = 0

    async def ingest(self, claims: Sequence[ClaimedDocument]) -> bool:
        """False if Ray has ended its driver, for the first time. Raises KyujangError."""
        try:
            broken = await self.driver.ingest(self.settings, claims)
        except DriverEnded:
            self.drivers_ended += 1
            if self.drivers_ended == DRIVERS:
                raise KyujangError(ENDED.format(times=DRIVERS)) from None
            log.warning(AGAIN)
            return False
        if broken:
            raise KyujangError(f"A Ray node cannot ingest documents. {broken}")
        return True


async def ingest_with_ray(
    services: Services, tenant: TenantNumber, job_ids: Sequence[str], complete: asyncio.Event, *, address: str | None
) -> None:
    """Ingest the documents of these jobs, of which more may come until `complete` is set. Raises KyujangError."""
    driver = Driver(address)
    engine = RayEngine(node_settings(services.settings), driver)
    try:
        await BulkWorker(services, tenant, job_ids, engine.ingest).run(complete)
    finally:
        await driver.close()


def node_settings(settings: Settings) -> Settings:
    """Return what the stages need and no other secret: neither the owner of the schema nor the admin key
    leaves here."""
    return settings.model_copy(
        update={
            "service_database_url": SecretStr(settings.service_url),
            "database_url": None,
            "database_pool": 2,
            "admin_key": None,
            "llm_key": None,
            "key": None,
            "reranker": None,
            "reranker_key": None,
            "engine": "none",
            "index": "pgvector",
        }
    )

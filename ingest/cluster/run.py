"""`python -m ingest add … --engine ray`: accepted documents, ingested by a Ray Data pipeline over a cluster."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from pydantic import SecretStr

from app.services import Services
from app.settings import Settings
from app.storage.tenancy import TenantNumber
from ingest.bulk_worker import BulkWorker
from ingest.cluster.driver import Driver


async def ingest_with_ray(
    services: Services, tenant: TenantNumber, job_ids: Sequence[str], complete: asyncio.Event, *, address: str | None
) -> None:
    """Ingest the documents of these jobs, of which more may come until `complete` is set. Raises KyujangError."""
    driver = Driver(node_settings(services.settings), address)
    try:
        await BulkWorker(services, tenant, job_ids, driver.ingest).run(complete)
    finally:
        await driver.close()


def node_settings(settings: Settings) -> Settings:
    """Return what the stages need and no other secret: the schema's owner and the operator's keys stay here."""
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

"""`python -m ingest add … --engine ray`: accepted documents, ingested by a Ray Data pipeline over a cluster.

Ray is used in a child process, which the command outlives: Ray ends its driver at once, without a message, as soon as
the node that the driver is attached to is gone, be that for lack of memory or on a machine too busy to answer for it.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

from pydantic import SecretStr

from app.errors import KyujangError
from app.sandbox.libraries import ROOT
from app.sandbox.subprocesses import ChildProcess, OutputError
from app.services import Services
from app.settings import Settings, inherited_environment
from app.storage.tenancy import TenantNumber
from ingest.bulk_worker import ingest_in_bulk
from ingest.jobs.queue import ClaimedDocument

log = logging.getLogger("kyujang.ray")

DRIVER = "ingest.cluster.driver"
# Messages on standard error would tear the progress bar; a call to Ray after its end would start another one.
ENVIRONMENT = {"RAY_USAGE_STATS_ENABLED": "0", "RAY_BACKEND_LOG_LEVEL": "fatal", "RAY_ENABLE_AUTO_CONNECT": "0"}
# The one switch that binds all of Ray's ports to loopback, and a token: without it what reaches them can run code.
ALONE = {"RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0", "RAY_AUTH_MODE": "token"}
STOP_LIMIT_S = 10
MAX_DRIVERS = 2
AGAIN = "Ray ended its driver; another one is started"
ENDED = (
    f"Ray ended its driver {MAX_DRIVERS} times. Its logs may say why, by default under /tmp/ray/session_latest/logs. "
    "Run the same command again: it continues where this one stopped."
)


async def ingest_with_ray(
    services: Services, tenant: TenantNumber, job_ids: Sequence[str], complete: asyncio.Event, *, address: str | None
) -> None:
    """Ingest the documents of these jobs, of which more may come until `complete` is set. Raises KyujangError."""
    settings, ended = node_settings(services.settings), 0

    async def engine(claims: Sequence[ClaimedDocument]) -> bool:
        nonlocal ended
        answer = await _drive(settings, claims, address)
        if answer is None:
            ended += 1
            if ended == MAX_DRIVERS:
                raise KyujangError(ENDED)
            log.warning(AGAIN)
        elif "error" in answer:
            raise KyujangError(answer["error"])
        return answer is not None

    await ingest_in_bulk(services, tenant, job_ids, engine, complete)


async def _drive(settings: Settings, claims: Sequence[ClaimedDocument], address: str | None) -> dict[str, Any] | None:
    """Let a driver ingest the documents; return its answer, None if Ray has ended it."""
    alone = {} if address else {**ALONE, "RAY_AUTH_TOKEN": secrets.token_hex(32)}
    environment = {**inherited_environment(storage=True), "PYTHONPATH": str(ROOT), **ENVIRONMENT, **alone}
    child = await ChildProcess.start(DRIVER, address or "", environment=environment, show_stderr=True)
    try:
        await child.send((settings, claims))
        answer = None
        with suppress(OutputError):
            answer = await child.message()
        with suppress(TimeoutError):
            async with asyncio.timeout(STOP_LIMIT_S):
                await child.wait()
        return answer
    finally:
        # The kernel and the driver's raylet end the rest.
        await child.kill()


def node_settings(settings: Settings) -> Settings:
    """Return what the stages need and no other secret: the schema's owner and the operator's keys stay here."""
    secret = dict.fromkeys(("database_url", "admin_key", "llm_key", "key", "reranker", "reranker_key", "checker"))
    needed = {"service_database_url": SecretStr(settings.service_url), "database_pool": 2}
    return settings.model_copy(update={**secret, **needed, "engine": "none", "index": "pgvector"})

"""Shows a worker's metrics at an address of their own."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial

from prometheus_client import start_http_server

from app.concurrency import run_forever
from app.errors import DatabaseUnavailable, NotConfigured
from app.services import Services
from app.storage.queue_depth import queue_depth

SAMPLE_S = 10


@asynccontextmanager
async def metrics_shown(services: Services) -> AsyncIterator[None]:
    """Serve them during the block, if `KYUJANG_WORKER_METRICS` says where. Raises NotConfigured."""
    address = services.settings.worker_metrics_address
    if address is None:
        yield
        return
    host, port = address
    try:
        server, thread = start_http_server(port, host, services.metrics.registry)
    except OSError as error:
        raise NotConfigured(
            f"KYUJANG_WORKER_METRICS: {host}:{port} cannot be listened at ({error.strerror or error}). Each worker of "
            "a machine needs a port of its own."
        ) from None
    sampling = asyncio.create_task(run_forever(partial(_sample_forever, services)))
    try:
        yield
    finally:
        sampling.cancel()
        await asyncio.to_thread(server.shutdown)
        server.server_close()
        thread.join()


async def _sample_forever(services: Services) -> None:
    while True:
        await sample(services)
        await asyncio.sleep(SAMPLE_S)


async def sample(services: Services) -> None:
    """Look at the queue; where the database does not answer, show nothing of it."""
    work = services.metrics.work
    try:
        work.show_queue(await queue_depth(services.database), tenants=services.settings.metrics_tenants)
    except DatabaseUnavailable:
        work.forget_queue()

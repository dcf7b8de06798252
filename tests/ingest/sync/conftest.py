"""A listening service, and the command that talks to it."""

from __future__ import annotations

import asyncio

import pytest
import uvicorn

from app.main import create_app
from ingest.__main__ import main
from ingest.sync import over_http, rechunk, sync
from tests.ingest.sync.adding import Faults
from tests.stack import free_port


@pytest.fixture(scope="module")
async def faults(services):
    return Faults(create_app(services.settings, services))


@pytest.fixture(scope="module")
async def url(faults):
    port = free_port()
    server = uvicorn.Server(uvicorn.Config(faults, port=port, log_config=None))
    serving = asyncio.create_task(server.serve())
    while not server.started:
        await asyncio.sleep(0.02)
    yield f"http://127.0.0.1:{port}"
    server.should_exit = True
    await serving


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    monkeypatch.setattr(over_http, "RETRY_DELAYS_S", (0.05, 0.05, 0.05))
    monkeypatch.setattr(sync, "POLL_S", 0.05)
    monkeypatch.setattr(rechunk, "POLL_S", 0.05)


@pytest.fixture
def command(url, new_tenant, capsys):
    """Runs the command as a new tenant: (exit status, what it printed, what it complained of)."""

    async def make():
        client = await new_tenant()
        key = client.headers["authorization"].split()[1]

        async def command(*arguments, verb="add"):
            words = [verb, "--url", url, "--key", key, *map(str, arguments)]
            status = await asyncio.to_thread(main, words)
            return (status, *capsys.readouterr())

        return client, key, command

    return make

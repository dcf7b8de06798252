"""A process that is told to stop sends its callers elsewhere before it takes no more requests."""

from __future__ import annotations

import asyncio

import fastapi
import httpx
import pytest
import uvicorn

from app.api.job_streams import JobStreams
from app.api.stopping import ClosedConnections
from app.cli.stopping_server import longest_answer_s, stopping_server
from app.settings import Settings
from app.stopping import Stopping
from tests.conftest import ADMIN_KEY


async def test_health_says_that_it_stops(anonymous):
    stopping = anonymous._transport.app.state.stopping
    stopping.told = True
    try:
        for path in ("/healthz", "/readyz"):
            answer = await anonymous.get(path, headers={"Authorization": f"Bearer {ADMIN_KEY}"})
            assert (answer.status_code, answer.json()["code"]) == (503, "not_ready"), path
            assert answer.headers["connection"] == "close"
    finally:
        stopping.told = False
    answer = await anonymous.get("/healthz")
    assert answer.status_code == 200
    assert "connection" not in answer.headers


async def test_it_takes_requests_until_it_is_closed_and_ends_what_is_under_way():
    app, stopping, go = fastapi.FastAPI(), Stopping(), asyncio.Event()
    app.add_middleware(ClosedConnections, stopping=stopping)

    @app.get("/")
    async def wait() -> str:
        await go.wait()
        return "done"

    server = stopping_server(uvicorn.Config(app, port=0, log_config=None), stopping, drain_s=0.5)
    running = asyncio.create_task(server.serve())
    while not server.started:
        await asyncio.sleep(0.01)
    async with httpx.AsyncClient(
        base_url=f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    ) as client:
        before = asyncio.create_task(client.get("/"))
        await asyncio.sleep(0.05)
        server.should_exit = True
        while not stopping.told:
            await asyncio.sleep(0.01)
        assert not stopping.closed
        meanwhile = asyncio.create_task(client.get("/"))
        while not stopping.closed:
            await asyncio.sleep(0.01)
        await asyncio.sleep(0.1)
        with pytest.raises(httpx.ConnectError):
            await client.get("/")
        go.set()
        assert [(await each).json() for each in (before, meanwhile)] == ["done", "done"]
        assert (await meanwhile).headers["connection"] == "close"
    await running


async def test_a_job_s_stream_waits_for_no_job_in_a_process_that_stops(services, new_tenant, monkeypatch):
    monkeypatch.setattr("app.api.job_streams.EVERY_S", 0.01)
    client = await new_tenant()
    made = (await client.post("/ingest", json={"documents": [{"text": "It waits."}]})).json()
    app, stopping = client._transport.app, Stopping()
    monkeypatch.setattr(app.state, "job_streams", JobStreams(stopping))
    following = asyncio.create_task(client.get(f"/jobs/{made['id']}/events"))
    await asyncio.sleep(0.1)
    assert not following.done()
    stopping.closed = True
    text = (await following).text
    assert "event: progress" in text
    assert "event: done" not in text


def test_an_answer_under_way_has_the_engine_s_time():
    assert longest_answer_s(Settings().llm_timeout_s) > Settings().llm_timeout_s

"""Connections are bounded before a request begins: over real sockets, since the ASGI transport has none."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator

import httpx
import pytest
import uvicorn

from app.api import middleware
from app.api.middleware import BodyLimit
from app.api.problems import install
from app.cli import bounded_connection
from app.cli.bounded_connection import BoundedConnection
from app.settings import Settings

fastapi = pytest.importorskip("fastapi")


@pytest.fixture
async def port(monkeypatch) -> AsyncIterator[int]:
    monkeypatch.setattr(bounded_connection, "HEAD_TIMEOUT_S", 0.5)
    monkeypatch.setattr(middleware, "BODY_S", 0.5)
    app = fastapi.FastAPI()
    install(app)
    app.add_middleware(BodyLimit, settings=Settings())

    @app.post("/")
    async def read(request: fastapi.Request) -> int:
        return len(await request.body())

    options = {"log_config": None, "timeout_keep_alive": 65, "limit_concurrency": 3}
    server = uvicorn.Server(uvicorn.Config(app, port=0, http=BoundedConnection, **options))
    running = asyncio.create_task(server.serve())
    while not server.started:
        await asyncio.sleep(0.01)
    yield server.servers[0].sockets[0].getsockname()[1]
    server.should_exit = True
    await running


async def answer(port: int, sent: bytes) -> bytes:
    """Return all that comes until the service ends the connection."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(sent)
    received = await asyncio.wait_for(reader.read(), 30)
    writer.close()
    return received


START = b"POST / HTTP/1.1\r\nHost: a\r\n"
HEADS = {
    "many": START + b"".join(b"a%d: b\r\n" % n for n in range(120)) + b"\r\n",
    "large": START + b"".join(b"a%d: %s\r\n" % (n, b"b" * 4000) for n in range(20)) + b"\r\n",
    "without end": START + b"a: " + b"b" * 70_000,
    "a long line": b"POST /" + b"b" * 70_000,
}


@pytest.mark.parametrize("head", HEADS)
async def test_a_head_is_bounded(port, head):
    received = await answer(port, HEADS[head])
    assert received.startswith(b"HTTP/1.1 431 ")
    assert b'"code": "headers_too_large"' in received


@pytest.mark.parametrize("sent", [b"", START])
async def test_a_head_has_to_come_in_time(port, sent):
    assert (await answer(port, sent)).startswith(b"HTTP/1.1 408 ")


async def test_a_body_has_to_come_in_time(port):
    assert b" 408 " in (await answer(port, START + b"Content-Length: 10\r\n\r\nabc")).split(b"\r\n")[0]


async def test_one_connection_too_many_is_told_when_to_come_again(port):
    held = [await asyncio.open_connection("127.0.0.1", port) for _ in range(2)]
    for path in ("/", "/v1/models"):
        head, _, body = (await answer(port, f"GET {path} HTTP/1.1\r\nHost: a\r\n\r\n".encode())).partition(b"\r\n\r\n")
        names = dict(line.split(b": ", 1) for line in head.lower().split(b"\r\n")[1:])
        assert head.startswith(b"HTTP/1.1 503 ")
        assert names[b"content-type"] == b"application/problem+json"
        assert (names[b"retry-after"], names[b"connection"]) == (b"5", b"close")
        problem = json.loads(body)
        assert (problem["status"], problem["code"]) == (503, "overloaded")
        assert "KYUJANG_MAX_CONNECTIONS" in problem["detail"]
    for _, writer in held:
        writer.close()


async def test_what_is_within_the_bounds_is_answered_again_and_again(port):
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}") as client:
        for _ in range(3):
            headers = {f"a{n}": "b" * 500 for n in range(80)}
            assert (await client.post("/", content=b"x" * 500_000, headers=headers)).json() == 500_000
            await asyncio.sleep(0.7)

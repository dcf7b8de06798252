"""What is not HTTP gets a problem as well."""

from __future__ import annotations

import asyncio
import json

import pytest
import uvicorn
from uvicorn.server import ServerState

from app.cli import service
from app.cli.bounded_connection import BoundedConnection
from app.cli.http_protocol import ProblemProtocol
from app.settings import Settings

MALFORMED = (
    b"nonsense\r\n\r\n", b"GET\r\n\r\n", b"GET / HTTP/9.9\r\n\r\n", b"GET / HTTP/1.1\r\nno colon\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: a\r\nContent-Length: x\r\n\r\n", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
)  # fmt: skip


async def app(scope, receive, send):
    await send({"type": "http.response.start", "status": 204, "headers": []})
    await send({"type": "http.response.body"})


@pytest.fixture
async def port():
    config = uvicorn.Config(app, http=ProblemProtocol, lifespan="off", log_config=None)
    config.load()
    make = config.http_protocol_class
    server = await asyncio.get_running_loop().create_server(
        lambda: make(config=config, server_state=ServerState(), app_state={}), "127.0.0.1", 0
    )
    async with server:
        yield server.sockets[0].getsockname()[1]


async def ask(port: int, sent: bytes) -> tuple[bytes, bytes]:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(sent)
    head = await reader.readuntil(b"\r\n\r\n")
    body = await reader.read() if b"400" in head else b""
    writer.close()
    return head, body


@pytest.mark.parametrize("sent", MALFORMED)
async def test_it_is_a_problem_and_the_connection_ends(port, sent):
    head, body = await ask(port, sent)
    assert head.startswith(b"HTTP/1.1 400 ")
    assert b"content-type: application/problem+json" in head
    problem = json.loads(body)
    assert (problem["status"], problem["code"]) == (400, "bad_request")
    assert f"x-request-id: {problem['request_id']}".encode() in head


async def test_http_is_answered(port):
    assert (await ask(port, b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"))[0].startswith(b"HTTP/1.1 204 ")


def test_the_service_is_served_so(monkeypatch):
    served: list[uvicorn.Config] = []
    monkeypatch.setattr(uvicorn.Config, "bind_socket", lambda _: None)
    monkeypatch.setattr(uvicorn.Server, "run", lambda server, sockets: served.append(server.config))
    monkeypatch.setattr(service.logs, "configure", lambda _: None)
    assert service._serve(Settings(engine="none"), None) == 0
    [config] = served
    config.load()
    assert config.http_protocol_class is BoundedConnection

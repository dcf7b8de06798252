"""Paths as uvicorn receives them, which no client has normalised."""

from __future__ import annotations

import asyncio
import json
from urllib.parse import quote

import pytest
import uvicorn
from uvicorn.server import ServerState

from app.api.raw_path import raw_path
from app.cli.bounded_connection import BoundedConnection
from app.main import create_app

pytestmark = pytest.mark.usefixtures("worker")

KOREAN = "보고서 (최종) v2.pdf"
IDS = ["a", "a/chunks", "..", "a/../b", "/a", "a+b&c#d?.txt", KOREAN, "가" * 512]
REACHED = {
    "/documents/a": "a",
    "/documents/a%2Fchunks": "a/chunks",
    "/documents/a%2fchunks": "a/chunks",
    "/documents/..": "..",
    "/documents/%2e%2E": "..",
    "/documents/a/../b": "a/../b",
    "/documents//a": "/a",
    "/documents/%2Fa": "/a",
    "/documents/a+b&c%23d%3F.txt": "a+b&c#d?.txt",
    "http://other.example/documents/a%2Fchunks": "a/chunks",
    f"/documents/{quote(KOREAN)}": KOREAN,
    f"/documents/{quote('가' * 512)}?": "가" * 512,
}


@pytest.fixture(scope="module")
async def port(services, tenant):
    app = create_app(services.settings, services)
    app.state.services = services
    config = uvicorn.Config(app, http=BoundedConnection, lifespan="off", log_config=None)
    config.load()
    make = config.http_protocol_class
    loop = asyncio.get_running_loop()
    server = await loop.create_server(
        lambda: make(config=config, server_state=ServerState(), app_state={}), "127.0.0.1", 0
    )
    async with server:
        yield server.sockets[0].getsockname()[1]


@pytest.fixture(scope="module")
async def ask(port, tenant, worker):
    documents = [{"id": each, "text": f"The text of {each}."} for each in IDS]
    made = await tenant.post("/ingest?wait=60", json={"documents": documents})
    assert made.json()["counts"]["succeeded"] == len(IDS)

    async def ask(target: bytes):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        key = tenant.headers["authorization"].encode()
        writer.write(
            b"GET " + target + b" HTTP/1.1\r\nHost: a\r\nConnection: close\r\nAuthorization: " + key + b"\r\n\r\n"
        )
        head, _, body = (await reader.read()).partition(b"\r\n\r\n")
        writer.close()
        return int(head.split()[1]), json.loads(body)

    return ask


@pytest.mark.parametrize("target", REACHED)
async def test_an_id_arrives_as_it_was_sent(ask, target):
    status, document = await ask(target.encode())
    assert (status, document.get("id")) == (200, REACHED[target])


async def test_what_is_not_encoded_at_all_is_no_request(ask):
    assert (await ask(f"/documents/{KOREAN.split()[0]}".encode()))[0] == 400
    assert (await ask(b"/documents/%FF"))[0] == 422


@pytest.mark.parametrize(
    ("scope", "path"),
    [
        ({"path": "/a b", "raw_path": b"/a%20b"}, "/a%20b"),
        ({"path": "/a b/가"}, "/a%20b/%EA%B0%80"),
        ({"path": "/가", "raw_path": None}, "/%EA%B0%80"),
    ],
)
def test_a_server_need_not_give_the_raw_path(scope, path):
    assert raw_path(scope) == path

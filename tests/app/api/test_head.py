"""HEAD, with GET beside it."""

from __future__ import annotations

import asyncio

import pytest

from tests.conftest import ADMIN_KEY, ingest_text

pytestmark = pytest.mark.usefixtures("worker")


@pytest.fixture(scope="module")
async def filled(new_tenant):
    client = await new_tenant()
    await ingest_text(client, "규장각에는 책이 많다.", id="annals")
    return client


@pytest.mark.parametrize(
    "path", ["/healthz", "/limits", "/metrics", "/docs", "/documents", "/documents/annals", "/jobs"]
)
async def test_head_answers_as_get_does_without_the_body(filled, path):
    own = {"Authorization": f"Bearer {ADMIN_KEY}"} if path == "/metrics" else {}
    got, head = await filled.get(path, headers=own), await filled.head(path, headers=own)
    assert got.status_code == head.status_code == 200
    assert head.content == b""
    for name in ("content-type", "cache-control", "content-security-policy"):
        assert head.headers.get(name) == got.headers.get(name)
    if path != "/metrics":
        assert head.headers["content-length"] == str(len(got.content))


async def test_head_is_refused_as_get_is(filled, anonymous):
    assert (await anonymous.head("/documents")).status_code == 401
    assert (await filled.head("/documents/none")).status_code == 404
    assert (await filled.head("/search")).status_code == 405


async def test_the_head_of_a_stream_ends_at_once(filled, services):
    accepted = await filled.post("/ingest", json={"documents": [{"text": f"Text {n}."} for n in range(40)]})
    async with asyncio.timeout(30):
        head = await filled.head(f"/jobs/{accepted.json()['id']}/events")
    assert (head.status_code, head.content) == (200, b"")
    assert head.headers["content-type"].startswith("text/event-stream")

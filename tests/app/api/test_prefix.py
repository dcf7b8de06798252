"""The API below a prefix, behind a proxy that takes it off and one that passes it on."""

from __future__ import annotations

import dataclasses
from urllib.parse import urljoin

import httpx
import pytest
from pydantic import ValidationError

from app.main import create_app
from app.settings import Settings
from tests.conftest import ingest_text
from tests.docs.loads import Loads

PREFIX = "/team/kyujang"
PUBLIC = f"https://proxy.example{PREFIX}"


@pytest.fixture(scope="module", params=["passed on", "taken off"])
async def behind(request, services, tenant):
    """A client in front of the proxy."""
    settings = services.settings.model_copy(update={"root_path": PREFIX})
    opened = dataclasses.replace(services, settings=settings)
    app = create_app(settings, opened)
    app.state.services = opened

    async def proxy(scope, receive, send):
        assert scope["path"].startswith(PREFIX)
        if request.param == "taken off":
            scope["path"] = scope["path"].removeprefix(PREFIX)
            scope["raw_path"] = scope["raw_path"].replace(b"%6B", b"k").removeprefix(PREFIX.encode())
        await app(scope, receive, send)

    transport = httpx.ASGITransport(proxy)
    async with httpx.AsyncClient(transport=transport, base_url=PUBLIC, headers=tenant.headers) as client:
        yield client


async def test_a_location_leads_there(behind):
    made = await behind.post("/ingest", json={"documents": [{"id": "a/b", "text": "Below a prefix."}]})
    assert made.headers["location"].startswith(f"{PREFIX}/jobs/job_")
    found = await behind.get(urljoin(PUBLIC, made.headers["location"]))
    assert found.json()["id"] == made.json()["id"]


@pytest.mark.parametrize("page", ["docs", "redoc"])
async def test_pages_load_what_they_need(behind, page):
    url = f"{PUBLIC}/{page}"
    answer = await behind.get(url)
    assert answer.status_code == 200
    for each in [*Loads(answer.text).urls, "openapi.json"]:
        assert (await behind.get(urljoin(url, each))).status_code == 200
    assert (await behind.get("/openapi.json")).json()["servers"] == [{"url": PREFIX}]


async def test_errors_and_limits_are_those_of_the_route(behind):
    assert "error" in (await behind.post("/v1/chat/completions", json={})).json()
    large = {"content": b" " * ((1 << 20) + 1), "headers": {"content-type": "application/json"}}
    assert (await behind.post("/query", **large)).status_code == 413
    assert (await behind.post("/ingest", **large)).status_code == 400
    assert (await behind.get("/documents?colour=red")).status_code == 422
    assert (await behind.get("/nothing")).status_code == 404


async def test_an_encoded_slash_is_part_of_an_id(behind, worker):
    await ingest_text(behind, "Below a prefix.", id="a/chunks")
    for prefix in (PREFIX, PREFIX.replace("k", "%6B")):
        found = await behind.get(f"https://proxy.example{prefix}/documents/a%2Fchunks")
        assert found.json()["id"] == "a/chunks"
    assert (await behind.get(f"{PUBLIC}/documents/a%2Fchunks/chunks")).status_code == 200
    assert (await behind.get("https://proxy.example/team%2Fkyujang/documents/a%2Fchunks")).status_code == 404


async def test_what_only_begins_like_the_prefix_is_not_below_it(services, tenant):
    settings = services.settings.model_copy(update={"root_path": "/doc"})
    opened = dataclasses.replace(services, settings=settings)
    app = create_app(settings, opened)
    app.state.services = opened
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://kyujang", headers=tenant.headers) as client:
        for path in ("/documents", "/doc/documents"):
            assert (await client.get(path)).status_code == 200
        for path in ("/doc", "/doc/", "/doc/doc"):
            assert (await client.get(path)).status_code == 404


@pytest.mark.parametrize("path", ["/documents/", "/jobs/", "/prompts/", "/search/", "/tenants/", "//evil.example/x/"])
async def test_a_slash_too_many_is_not_redirected_anywhere(tenant, path):
    for method in ("GET", "POST"):
        answer = await tenant.request(method, path, headers={"host": "evil.example"})
        assert answer.status_code in (401, 404, 405)
        assert "location" not in answer.headers


@pytest.mark.parametrize("path", ["kyujang", "/", "/a/", "//a", "/a b", "/a?b", "https://x/y", "/a%2f"])
def test_what_is_no_prefix_is_refused(path):
    with pytest.raises(ValidationError):
        Settings(root_path=path)

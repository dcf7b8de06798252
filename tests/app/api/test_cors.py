"""Pages of the origins that KYUJANG_CORS_ORIGINS names may ask from a browser; others as little as before."""

from __future__ import annotations

import dataclasses

import httpx
import pytest

from app.main import create_app

NAMED = ("https://app.example", "http://localhost:3000")
FOREIGN = ("https://app.example.evil.example", "http://app.example", "https://app.example:8443", "null", "")
PREFLIGHT = {"access-control-request-method": "POST", "access-control-request-headers": "authorization,x-stainless-os"}


@pytest.fixture(scope="module")
async def open_app(services):
    """A client for each way of asking for keys."""
    clients = {}
    for auth in ("on", "off"):
        settings = services.settings.model_copy(update={"auth": auth, "cors_origins": ", ".join(NAMED)})
        opened = dataclasses.replace(services, settings=settings)
        app = create_app(settings, opened)
        app.state.services = opened
        clients[auth] = httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://127.0.0.1:8000")
    return clients


@pytest.mark.parametrize("auth", ["on", "off"])
@pytest.mark.parametrize("origin", NAMED)
async def test_a_named_origin_s_page_may_ask(open_app, auth, origin):
    page = {"origin": origin, "sec-fetch-site": "cross-site"}
    allowed = await open_app[auth].options("/query", headers=page | PREFLIGHT)
    assert allowed.status_code == 200
    assert allowed.headers["access-control-allow-origin"] == origin
    assert "POST" in allowed.headers["access-control-allow-methods"]
    assert allowed.headers["access-control-allow-headers"] == PREFLIGHT["access-control-request-headers"]
    assert "access-control-allow-credentials" not in allowed.headers
    asked = await open_app[auth].get("/documents", headers=page)
    assert asked.status_code == (401 if auth == "on" else 200)
    assert asked.headers["access-control-allow-origin"] == origin
    assert "X-Request-Id" in asked.headers["access-control-expose-headers"]
    assert "Origin" in asked.headers["vary"]


@pytest.mark.parametrize("origin", FOREIGN)
async def test_another_origin_gets_what_it_got_without_the_setting(open_app, origin):
    for auth, status in {"on": 405, "off": 403}.items():
        refused = await open_app[auth].options("/query", headers={"origin": origin} | PREFLIGHT)
        assert refused.status_code == status
        assert refused.headers["content-type"] == "application/problem+json"
        asked = await open_app[auth].get("/documents", headers={"origin": origin})
        assert asked.status_code == (401 if auth == "on" else 403)
        assert not [name for name in (*refused.headers, *asked.headers) if name.startswith("access-control")]


async def test_a_named_origin_does_not_open_another_host(open_app):
    """DNS rebinding."""
    answer = await open_app["off"].get("/documents", headers={"origin": NAMED[0], "host": "evil.example:8000"})
    assert answer.status_code == 421


async def test_by_default_there_is_none(tenant):
    answer = await tenant.get("/documents", headers={"origin": NAMED[0]})
    assert answer.status_code == 200
    assert not [name for name in answer.headers if name.startswith("access-control")]


async def test_an_unexpected_error_is_readable_too(open_app, monkeypatch):
    async def broken(*_, **__):
        raise RuntimeError

    monkeypatch.setattr("app.storage.documents.list_documents", broken)
    answer = await open_app["off"].get("/documents", headers={"origin": NAMED[0]})
    assert (answer.status_code, answer.headers["access-control-allow-origin"]) == (500, NAMED[0])

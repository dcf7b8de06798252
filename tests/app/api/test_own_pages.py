"""Without keys the service answers programs on this machine and its own pages, and no other web page."""

from __future__ import annotations

import dataclasses

import httpx
import pytest

from app.main import create_app

FILES = {"file": ("a.txt", b"Planted.")}


@pytest.fixture(scope="module")
async def without_keys(services):
    settings = services.settings.model_copy(update={"auth": "off", "host": "127.0.0.5"})
    app = create_app(settings, dataclasses.replace(services, settings=settings))
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://127.0.0.1:8000") as client,
    ):
        yield client


FOREIGN_HOSTS = (
    "evil.example", "evil.example:8000", "127.0.0.1.evil.example:8000", "localhost.evil.example",
    "localhost@evil.example", "evil.example:localhost", "127.0.0.2:8000", "192.0.2.7:8000", "[::2]:8000", "",
)  # fmt: skip
PATHS = [("GET", "/documents"), ("POST", "/search"), ("DELETE", "/documents/a"), ("GET", "/healthz"), ("GET", "/docs")]


@pytest.mark.parametrize("host", FOREIGN_HOSTS)
@pytest.mark.parametrize(("method", "path"), PATHS)
async def test_a_foreign_host_is_misdirected(without_keys, method, path, host):
    answer = await without_keys.request(method, path, headers={"host": host})
    assert (answer.status_code, answer.json()["code"]) == (421, "misdirected")
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["request_id"] == answer.headers["x-request-id"]


@pytest.mark.parametrize(
    "host", ["localhost", "LocalHost:8000", "127.0.0.1", "127.0.0.1:9", "[::1]:8000", "[::1]", "127.0.0.5:8000"]
)
async def test_this_machine_s_names_are_answered(without_keys, host):
    own = {"host": host, "origin": f"http://{host}", "sec-fetch-site": "same-origin"}
    for headers in ({"host": host}, own):
        assert (await without_keys.get("/documents", headers=headers)).status_code == 200


OTHER_PAGES = (
    {"origin": "http://evil.example", "sec-fetch-site": "cross-site"},
    {"origin": "http://evil.example"},
    {"sec-fetch-site": "cross-site"},
    {"origin": "http://127.0.0.1:3000", "sec-fetch-site": "same-site"},
    {"sec-fetch-site": "same-site"},
    {"origin": "http://127.0.0.1:3000"},
    {"origin": "http://localhost:8000"},
    {"origin": "http://127.0.0.1"},
    {"origin": "null"},
    {"origin": ""},
    {"origin": "http://127.0.0.1:8000.evil.example"},
    {"origin": "http://127.0.0.1:8000", "sec-fetch-site": "anything"},
)


@pytest.mark.parametrize("headers", OTHER_PAGES)
@pytest.mark.parametrize("path", ["/ingest", "/prompts/deactivate", "/adapters/deactivate", "/adapters/rollback"])
async def test_what_another_page_can_send_is_refused(without_keys, path, headers):
    answer = await without_keys.post(path, files=FILES, headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (403, "cross_origin")
    assert (await without_keys.get("/documents")).json()["data"] == []


async def test_below_v1_it_is_in_openai_s_shape(without_keys):
    answer = await without_keys.get("/v1/models", headers={"origin": "http://evil.example"})
    assert (answer.status_code, answer.json()["error"]["code"]) == (403, "cross_origin")


async def test_a_user_s_own_visit_is_answered(without_keys):
    assert (await without_keys.get("/docs", headers={"sec-fetch-site": "none"})).status_code == 200


async def test_with_keys_any_host_and_page_may_ask(tenant):
    headers = {"host": "kyujang.example", "origin": "https://shop.example", "sec-fetch-site": "cross-site"}
    assert (await tenant.get("/documents", headers=headers)).status_code == 200

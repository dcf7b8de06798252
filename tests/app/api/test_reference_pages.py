"""The API's own pages work without a network."""

from __future__ import annotations

import base64
import hashlib
import re
from urllib.parse import urljoin

import httpx
import pytest

from app.main import create_app
from app.settings import Settings
from tests.docs.loads import ELSEWHERE, Loads

SERVICE = "http://127.0.0.1:8000"


@pytest.fixture(scope="module")
async def client():
    app = create_app(Settings(engine="none"))
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url=SERVICE) as client:
        yield client


@pytest.mark.parametrize(("path", "assets"), [("/docs", 3), ("/redoc", 2)])
async def test_all_that_a_page_loads_comes_from_the_service(client, path, assets):
    page = await client.get(path)
    assert page.status_code == 200
    urls = Loads(page.text).urls
    assert len(urls) == assets
    assert [url for url in urls if ELSEWHERE.match(url)] == []
    for url in [*urls, "openapi.json"]:
        answer = await client.get(urljoin(f"{SERVICE}{path}", url))
        assert answer.status_code == 200
        assert len(answer.content) > 1000


@pytest.mark.parametrize("path", ["/docs", "/redoc"])
async def test_the_page_s_scripts_may_ask_no_other_host(client, path):
    policy = (await client.get(path)).headers["content-security-policy"]
    directives = dict(each.split(maxsplit=1) for each in policy.split("; "))
    assert directives.pop("default-src") == "'self'"
    scripts = directives.pop("script-src").split()
    allowed = {"'self'", "'unsafe-inline'", "'none'", "data:", "blob:"}
    assert {source for sources in directives.values() for source in sources.split()} <= allowed
    own = re.findall(r"<script>(.*?)</script>", (await client.get(path)).text, re.DOTALL)
    assert len(own) == (1 if path == "/docs" else 0)
    hashes = [base64.b64encode(hashlib.sha256(each.encode()).digest()).decode() for each in own]
    assert scripts == ["'self'", *(f"'sha256-{each}'" for each in hashes)]
    assert not re.search(r" on[a-z]+=|javascript:", (await client.get(path)).text)
    # Swagger UI's badge would send the API's address to its maker.
    assert '"validatorUrl": null' in (await client.get("/docs")).text


async def test_both_pages_show_the_service_s_description(client):
    assert 'spec-url="openapi.json"' in (await client.get("/redoc")).text
    assert "url: 'openapi.json'" in (await client.get("/docs")).text


async def test_no_other_file_of_the_package_is_served(client):
    for name in ("../core.py", "%2e%2e/core.py", "nothing.js", ""):
        assert (await client.get(f"/docs/assets/{name}")).status_code == 404

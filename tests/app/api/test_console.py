"""The page at /console: a strict policy, an address below any path, and what is said where it is not built."""

from __future__ import annotations

import gzip
import json
import re

import httpx
import pytest
from fastapi import FastAPI

from app.api import console
from tests.conftest import ROOT

PAGE = (ROOT / "console" / "index.html").read_text()
LOCK = json.loads((ROOT / "console" / "package-lock.json").read_text())


@pytest.fixture
def built(tmp_path, monkeypatch):
    (tmp_path / "assets").mkdir()
    (tmp_path / "index.html").write_text(PAGE)
    (tmp_path / "assets" / "page.js").write_text("1")
    (tmp_path / "assets" / "page.js.gz").write_bytes(gzip.compress(b"1"))
    (tmp_path / "assets" / "page.js.br").write_bytes(b"by Brotli")
    monkeypatch.setattr(console, "BUILT", tmp_path)


def client(prefix: str = "") -> httpx.AsyncClient:
    app = FastAPI()
    console.install(app, prefix)
    return httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://kyujang")


@pytest.mark.usefixtures("built")
@pytest.mark.parametrize("path", ["/console", "/console/", "/console/documents/a%2Fb?start=1&end=2"])
async def test_each_address_is_the_same_page_under_a_strict_policy(path):
    answer = await client().get(path)
    assert (answer.status_code, answer.text) == (200, PAGE)
    policy = answer.headers["content-security-policy"]
    assert policy.startswith("default-src 'self'; img-src 'self' blob:;")
    assert "unsafe" not in policy
    assert answer.headers["x-content-type-options"] == "nosniff"


@pytest.mark.usefixtures("built")
async def test_below_a_path_its_base_is_there():
    assert '<base href="/kyujang/console/" />' in (await client("/kyujang").get("/console")).text


@pytest.mark.usefixtures("built")
async def test_files_are_served_and_none_outside():
    assert (await client().get("/console/assets/page.js")).text == "1"
    assert (await client().get("/console/assets/..%2Findex.html")).status_code == 404


@pytest.mark.usefixtures("built")
@pytest.mark.parametrize(
    ("accepted", "coding"),
    [
        ("gzip, deflate, br, zstd", "br"), ("gzip", "gzip"), ("br;q=0, GZIP;q=0.5", "gzip"), ("br;q=0.0", None),
        ("identity", None), ("", None), ("brotli, xgzip", None), ("gzip;q=1.0, *;q=0", "gzip"),
    ],
)  # fmt: skip
async def test_a_file_comes_compressed_as_the_browser_takes_it(accepted, coding):
    headers = {"Accept-Encoding": accepted}
    async with client().stream("GET", "/console/assets/page.js", headers=headers) as answer:
        sent = b"".join([part async for part in answer.aiter_raw()])
    assert answer.headers.get("content-encoding") == coding
    assert (answer.headers["vary"], "javascript" in answer.headers["content-type"]) == ("Accept-Encoding", True)
    assert gzip.decompress(sent) == b"1" if coding == "gzip" else sent == (b"1" if coding is None else b"by Brotli")
    again = await client().head("/console/assets/page.js", headers={**headers, "If-None-Match": answer.headers["etag"]})
    assert again.status_code == 304


async def test_where_it_is_not_built_it_says_how(tmp_path, monkeypatch):
    monkeypatch.setattr(console, "BUILT", tmp_path / "none")
    answer = await client().get("/console")
    assert answer.status_code == 503
    assert "python -m app.up.console" in answer.text
    assert "빌드" in answer.text


async def test_a_browser_is_led_there_and_a_program_is_not():
    browser = await client().get("/", headers={"Accept": "text/html,*/*"})
    assert (browser.status_code, browser.headers["location"]) == (307, "/console")


def test_the_page_has_nothing_inline_and_loads_from_nowhere_else():
    assert re.findall(r"(?:src|href)=\"(?!/)", PAGE) == []
    assert "//" not in PAGE.replace("<!doctype", "")
    assert re.findall(r"<style|style=|<script(?! type=\"module\" src=)|\bon\w+=", PAGE) == []


def test_packages_are_pinned_by_hashes_and_name_no_registry():
    packages = {name: each for name, each in LOCK["packages"].items() if name}
    assert [name for name, each in packages.items() if not each["integrity"].startswith("sha512-")] == []
    assert [name for name, each in packages.items() if "resolved" in each or each.get("hasInstallScript")] == []
    wanted = json.loads((ROOT / "console" / "package.json").read_text())
    versions = {**wanted["dependencies"], **wanted["devDependencies"]}
    assert versions == {name: packages[f"node_modules/{name}"]["version"] for name in versions}

"""A document's uploaded file, as it came."""

from __future__ import annotations

import hashlib
from urllib.parse import quote

import pytest

from tests.conftest import NewTenant

CONTENT = "<script>alert(1)</script> 규장각은 1776년에 세워졌다.\r\n".encode("cp949")
ID = "pages/규장각 (최종).html"
PATH = f"/documents/{quote(ID, safe='')}/content"


@pytest.fixture(scope="module")
async def shelf(worker, new_tenant: NewTenant):
    client = await new_tenant()
    sent = await client.post("/ingest?wait=60", data={"id": ID}, files={"file": ("규장각.html", CONTENT, "text/html")})
    assert sent.json()["status"] == "succeeded", sent.text
    return client


async def test_it_is_the_same_bytes_and_nothing_that_a_browser_runs(shelf):
    answer = await shelf.get(PATH)
    assert (answer.status_code, answer.content) == (200, CONTENT)
    assert answer.headers["content-disposition"] == f"attachment; filename*=UTF-8''{quote('규장각.html')}"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["content-security-policy"].startswith("sandbox")
    assert answer.headers["etag"] == f'"{hashlib.sha256(CONTENT).hexdigest()}"'
    head = await shelf.head(PATH)
    assert (head.status_code, head.content, head.headers["content-length"]) == (200, b"", str(len(CONTENT)))


@pytest.mark.parametrize(
    ("asked", "first", "last"),
    [("bytes=0-3", 0, 4), ("bytes=5-", 5, None), ("bytes=-4", -4, None), ("bytes=2-999999", 2, None)],
)
async def test_a_range_of_it(shelf, asked, first, last):
    answer = await shelf.get(PATH, headers={"Range": asked})
    assert (answer.status_code, answer.content) == (206, CONTENT[first:last])
    assert answer.headers["content-range"].endswith(f"/{len(CONTENT)}")


@pytest.mark.parametrize(
    "asked", ["bytes=5-2", "lines=1-2", "bytes=0-1,3-4", "bytes=", "bytes=a-b", "bytes=" + "9" * 99 + "-"]
)
async def test_what_is_not_one_range_is_passed_over(shelf, asked):
    answer = await shelf.get(PATH, headers={"Range": asked})
    assert (answer.status_code, answer.content) == (200, CONTENT)


@pytest.mark.parametrize("asked", ["bytes=99999-", "bytes=-0"])
async def test_a_range_behind_its_end(shelf, asked):
    answer = await shelf.get(PATH, headers={"Range": asked})
    assert (answer.status_code, answer.json()["code"]) == (416, "range_not_satisfiable")
    assert answer.headers["content-range"] == f"bytes */{len(CONTENT)}"


async def test_a_range_of_another_version_is_the_whole_file(shelf):
    answer = await shelf.get(PATH, headers={"Range": "bytes=0-3", "If-Range": '"another"'})
    assert (answer.status_code, answer.content) == (200, CONTENT)


async def test_it_is_the_tenants_alone_and_takes_the_scope_read(shelf, new_tenant: NewTenant):
    other, asking = await new_tenant(), await new_tenant(scopes=("query",))
    assert (await other.get(PATH)).status_code == 404
    assert (await asking.get(PATH)).status_code == 403
    assert (await shelf.get("/documents/unknown/content")).status_code == 404

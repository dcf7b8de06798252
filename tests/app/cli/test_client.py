"""Lists that come in pages, and the paths of documents."""

from __future__ import annotations

from urllib.parse import unquote

import httpx
import pytest

from app.cli.client import call, call_async, document_path, list_all, list_all_async

PAGES = {
    "": {"data": [1, 2], "next_cursor": "b"},
    "b": {"data": [], "next_cursor": "c"},
    "c": {"data": [3], "next_cursor": None},
}


def answer(request: httpx.Request) -> httpx.Response:
    assert request.url.params["limit"] == "2"
    return httpx.Response(200, json=PAGES[request.url.params.get("cursor", "")])


def test_a_list_is_followed_to_its_last_page():
    with httpx.Client(base_url="http://kyujang", transport=httpx.MockTransport(answer)) as client:
        assert list(list_all(client, "/things", limit=2)) == [1, 2, 3]


async def test_so_is_one_that_is_asked_for_with_retries():
    async with httpx.AsyncClient(base_url="http://kyujang", transport=httpx.MockTransport(answer)) as client:

        async def request(method: str, path: str, **options):
            return await call_async(client, method, path, **options)

        assert [each async for each in list_all_async(request, "/things", limit=2)] == [1, 2, 3]


@pytest.mark.parametrize("document_id", ["..", "a/../b", "a/chunks", "//x", "50% [old].md", "a+b&c#d?.txt", "보고서"])
def test_a_document_is_asked_for_by_its_whole_id(document_id):
    asked = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(request.url.raw_path.decode())
        return httpx.Response(200, json={})

    with httpx.Client(base_url="http://kyujang/below", transport=httpx.MockTransport(answer)) as client:
        call(client, "GET", document_path(document_id))
    (path,) = asked
    assert path.startswith("/below/documents/")
    assert path.count("/") == 3
    assert unquote(path.rpartition("/")[2]) == document_id

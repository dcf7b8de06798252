"""Lists that come in pages."""

from __future__ import annotations

import httpx

from app.cli.client import call_async, list_all, list_all_async

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

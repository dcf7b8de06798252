"""A page ends before the row that would pass its size in bytes; a row that alone is larger is a page of its own."""

from __future__ import annotations

import psycopg
import pytest

from app.storage import page
from tests.conftest import ingest_text

pytestmark = pytest.mark.usefixtures("worker")


async def test_a_page_ends_at_its_size_and_the_next_goes_on(tenant, owner_url, monkeypatch):
    for n in range(4):
        await ingest_text(tenant, f"Document {n} of the shelf." * 200, id=f"d{n}")
    with psycopg.connect(owner_url) as connection:
        connection.execute("update documents set metadata = jsonb_build_object('a', repeat('b', 500)) where id = 'd1'")
    monkeypatch.setattr(page, "MAX_PAGE_BYTES", 400)
    seen = await pages(tenant, "/documents", limit=3)
    assert [[each["id"] for each in one] for one in seen] == [["d0"], ["d1"], ["d2", "d3"]]
    monkeypatch.setattr(page, "MAX_PAGE_BYTES", 1)
    assert [len(one) for one in await pages(tenant, "/documents/d0/chunks", limit=50)] == [1] * 4
    found = (await tenant.post("/search", json={"input": "shelf", "top_k": 3})).json()
    assert (len(found["contexts"]), found["has_more"]) == (1, True)
    monkeypatch.undo()
    assert [len(one) for one in await pages(tenant, "/documents", limit=3)] == [3, 1]
    found = (await tenant.post("/search", json={"input": "shelf", "top_k": 3})).json()
    assert (len(found["contexts"]), found["has_more"]) == (3, False)


async def pages(client, path, *, limit):
    seen, cursor = [], None
    while True:
        answer = (await client.get(path, params={"limit": limit, **({"cursor": cursor} if cursor else {})})).json()
        seen.append(answer["data"])
        cursor = answer["next_cursor"]
        if not answer["has_more"]:
            return seen

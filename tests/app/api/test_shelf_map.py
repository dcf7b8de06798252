"""The map: axes that a worker makes, chunks upon them, and a question among its nearest."""

from __future__ import annotations

import asyncio

import numpy as np
import psycopg
import pytest

from app.storage import map_axes
from app.storage.tenants import tenant_by_slug
from ingest.shelf_map import principal_axes
from tests.conftest import NewTenant, ingest_text

pytestmark = pytest.mark.usefixtures("worker")

TEXTS = {
    "ferry": "The ferry to the island leaves at seven.",
    "boat": "The boat to the island sails at eight.",
    "leave": "연차 휴가는 팀장이 승인한다.",
    "pay": "월급은 매달 이십오 일에 나온다.",
}


async def mapped(client, **params):
    """Wait for the axes, and return the map."""
    while True:
        answer = await client.get("/map", params=params)
        assert answer.status_code == 200, answer.text
        if (body := answer.json())["status"] != "computing":
            return body
        await asyncio.sleep(0.1)


@pytest.fixture(scope="module")
async def shelf(new_tenant: NewTenant):
    client = await new_tenant("shelf-map")
    await client.post("/collections", json={"id": "sea"})
    for name, text in TEXTS.items():
        sea = {"collection": "sea"} if name in ("ferry", "boat") else {}
        await ingest_text(client, text, id=name, title=f"On the {name}", metadata={"kind": name[0]}, **sea)
    return client


async def test_an_empty_shelf_has_an_empty_map(new_tenant: NewTenant):
    client = await new_tenant()
    assert (await client.get("/map")).json()["status"] == "empty"
    assert (await client.post("/map/place", json={"input": "?"})).json()["nearest"] == []


async def test_each_chunk_lies_where_its_vector_says(shelf, services, owner_url):
    found = await mapped(shelf, metadata="kind")
    assert (found["chunks"], found["sampled"]) == (4, False)
    points = found["points"]
    documents = {each["number"]: each for each in found["documents"]}
    at = {
        documents[number]["id"]: np.array(place)
        for number, *place in zip(points["document"], points["x"], points["y"], strict=True)
    }
    assert set(at) == set(TEXTS)
    tenant = (await tenant_by_slug(services.database, "shelf-map")).number
    with psycopg.connect(owner_url) as owner:
        query = "select document_id, embedding::text from vectors_1 where tenant_id = %s order by chunk_id"
        stored = {each: np.array(vector[1:-1].split(","), float) for each, vector in owner.execute(query, [tenant])}
    vectors = np.array([stored[each] for each in sorted(stored)])
    centred = vectors - vectors.mean(axis=0)
    widest = np.linalg.svd(centred)[2][:2]
    for name, place in at.items():
        whole = widest @ (stored[name] - vectors.mean(axis=0))
        # The direction of an axis is free.
        assert np.abs(np.abs(place) - np.abs(whole)).max() < 0.005
    near, far = (np.linalg.norm(at["ferry"] - at[other]) for other in ("boat", "leave"))
    assert near < far
    ferry = next(each for each in documents.values() if each["id"] == "ferry")
    assert (ferry["title"], ferry["collection"], ferry["value"]) == ("On the ferry", "sea", "f")


async def test_a_chunk_and_its_text_are_found_by_what_the_map_says(shelf):
    points = (await mapped(shelf))["points"]
    listed = [(await shelf.get(f"/documents/{name}/chunks")).json()["data"][0] for name in TEXTS]
    assert {each["chunk_id"] for each in listed} == set(points["chunk"])
    assert set(zip(points["start"], points["end"], strict=True)) == {(0, len(text)) for text in TEXTS.values()}


async def test_a_collection_by_itself(shelf):
    found = await mapped(shelf, collection="sea")
    assert {each["id"] for each in found["documents"]} == {"ferry", "boat"}
    assert len(found["points"]["x"]) == 2
    refused = await shelf.get("/map", params={"metadata": "a\x00"})
    assert refused.status_code == 422


async def test_a_question_lies_among_its_nearest(shelf):
    await mapped(shelf)
    found = (await shelf.post("/map/place", json={"input": "When does the ferry leave?", "top_k": 2})).json()
    assert [each["document_id"] for each in found["nearest"]] == ["ferry", "boat"]
    points = (await mapped(shelf))["points"]
    for each in found["nearest"]:
        at = points["chunk"].index(each["chunk_id"])
        assert abs(each["x"] - points["x"][at]) < 0.001
        assert abs(each["y"] - points["y"][at]) < 0.001
    assert found["x"] is not None
    assert (await shelf.post("/map/place", json={"input": "?", "top_k": 21})).status_code == 422


async def test_what_is_gone_is_on_no_map(new_tenant: NewTenant):
    client = await new_tenant()
    for name, text in TEXTS.items():
        await ingest_text(client, text, id=name)
    assert len((await mapped(client))["points"]["x"]) == 4
    await client.delete("/documents/pay")
    found = await mapped(client)
    assert len(found["points"]["x"]) == 3
    assert "pay" not in {each["id"] for each in found["documents"]}


async def test_many_chunks_are_shown_in_part(shelf, monkeypatch):
    await mapped(shelf)
    monkeypatch.setattr(map_axes, "MAX_POINTS", 3)
    found = await mapped(shelf)
    assert found["sampled"]
    assert len(found["points"]["x"]) <= 3


def test_the_axes_are_the_widest_directions_and_the_same_each_time():
    drawn = np.random.default_rng(1).standard_normal((500, 40)) * np.linspace(3, 0.1, 40) + 2
    vectors = drawn.astype(np.float32)
    across, upwards, origin = principal_axes(vectors)
    widest = np.linalg.svd(vectors - vectors.mean(axis=0))[2][:2]
    assert abs(across @ widest[0]) > 0.999
    assert abs(upwards @ widest[1]) > 0.999
    assert abs(across @ upwards) < 1e-5
    assert np.allclose(origin, vectors.mean(axis=0) @ np.array([across, upwards]).T, atol=1e-4)
    assert np.array_equal(principal_axes(vectors)[0], across)


def test_one_vector_has_axes_too():
    across, upwards, _ = principal_axes(np.ones((1, 8), np.float32))
    assert np.isfinite(across).all()
    assert np.isfinite(upwards).all()

"""The map: axes that a worker makes, chunks upon them, and a question among its nearest."""

from __future__ import annotations

import asyncio

import numpy as np
import psycopg
import pytest

from app.api import shelf_map as routes
from app.storage import shelf_map
from app.storage.tenants import tenant_by_slug
from ingest.jobs.queue import TaskFailed
from ingest.shelf_map import layout
from ingest.shelf_map.child import among, laid_out
from ingest.shelf_map.principal import principal_axes
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
    for module in (shelf_map, routes):
        monkeypatch.setattr(module, "MAX_POINTS", 3)
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


async def test_neighbours_are_laid_out_kept_and_new_chunks_placed_among_them(new_tenant: NewTenant, monkeypatch):
    client = await new_tenant()
    ferries = [{"id": f"ferry-{hour}", "text": f"The ferry to the island leaves at {hour}."} for hour in range(12)]
    pay = [{"id": f"pay-{day}", "text": f"월급은 매달 {day} 일에 나온다."} for day in range(12)]
    await client.post("/ingest?wait=60", json={"documents": [*ferries, *pay]})
    found = await mapped(client, projection="neighbours")
    assert (found["projection"], found["chunks"], len(found["points"]["x"])) == ("neighbours", 24, 24)
    assert found["projections"] == ["pca", "neighbours"]
    before = where(found)
    ferry, salary = (
        np.median([at for name, at in before.items() if name.startswith(of)], 0) for of in ("ferry", "pay")
    )
    for name, at in before.items():
        own, other = (ferry, salary) if name.startswith("ferry") else (salary, ferry)
        assert np.linalg.norm(at - own) < np.linalg.norm(at - other)
    monkeypatch.setattr(shelf_map, "AGAIN_S", 0)
    await ingest_text(client, "The ferry to the island leaves at noon.", id="ferry-noon")
    await client.delete("/documents/pay-3")
    while "ferry-noon" not in (after := where(await mapped(client, projection="neighbours"))):
        await asyncio.sleep(0.1)
    assert "pay-3" not in after
    assert all(np.array_equal(after[name], at) for name, at in before.items() if name != "pay-3")
    assert np.linalg.norm(after["ferry-noon"] - ferry) < np.linalg.norm(after["ferry-noon"] - salary)
    asked = {"input": "When does the ferry leave?", "top_k": 10, "projection": "neighbours"}
    placed = (await client.post("/map/place", json=asked)).json()
    for axis in "xy":
        assert placed[axis] == pytest.approx(np.median([each[axis] for each in placed["nearest"]]))


def where(found) -> dict[str, np.ndarray]:
    names = {each["number"]: each["id"] for each in found["documents"]}
    points = found["points"]
    places = zip(points["x"], points["y"], strict=True)
    return {names[each]: np.array(at) for each, at in zip(points["document"], places, strict=True)}


async def test_without_the_extra_it_says_what_to_install(shelf, monkeypatch):
    monkeypatch.setattr(routes, "PROJECTIONS", ["pca"])
    assert (await mapped(shelf))["projections"] == ["pca"]
    for refused in (
        await shelf.get("/map", params={"projection": "neighbours"}),
        await shelf.post("/map/place", json={"input": "?", "projection": "neighbours"}),
    ):
        assert (refused.status_code, "EXTRAS=map" in refused.json()["detail"]) == (409, True)


async def test_what_the_worker_could_not_make_is_told(new_tenant: NewTenant, monkeypatch):
    client = await new_tenant()
    await ingest_text(client, "The ferry leaves at seven.", id="ferry")

    def refuse() -> None:
        raise TaskFailed("not_installed", "It needs the extra.")

    monkeypatch.setattr(layout, "require_installed", refuse)
    while (answer := await client.get("/map", params={"projection": "neighbours"})).status_code == 200:
        await asyncio.sleep(0.1)
    assert (answer.status_code, answer.json()["detail"]) == (409, "It needs the extra.")


def test_a_layout_keeps_neighbours_that_two_axes_do_not_and_is_the_same_each_time():
    groups, each, held = 16, 25, 5
    random = np.random.default_rng(2)
    middles = np.eye(groups, 32)[np.arange(groups).repeat(each)]
    vectors = (middles + 0.15 * random.standard_normal((groups * each, 32))).astype(np.float32)
    group = np.arange(groups).repeat(each)
    is_new = np.arange(groups * each) % each < held
    known, places = vectors[~is_new], laid_out(vectors[~is_new])
    assert np.array_equal(laid_out(known), places)
    across, upwards, _ = principal_axes(known)
    assert nearest_of_own(known @ np.array([across, upwards]).T, group[~is_new]) < 0.6
    assert nearest_of_own(places, group[~is_new]) > 0.95
    new = among(vectors[is_new], known, places)
    nearest = np.linalg.norm(new[:, None] - places, axis=2).argmin(axis=1)
    assert (group[~is_new][nearest] == group[is_new]).mean() > 0.9


def nearest_of_own(places, group) -> float:
    """Return how many have a nearest one of their own group."""
    distances = np.linalg.norm(places[:, None] - places, axis=2)
    np.fill_diagonal(distances, np.inf)
    return float((group[distances.argmin(axis=1)] == group).mean())


@pytest.mark.parametrize("count", [1, 2, 4, 5, 12])
def test_few_vectors_and_equal_ones_are_laid_out_too(count):
    assert np.isfinite(laid_out(np.ones((count, 8), np.float32))).all()
    drawn = np.random.default_rng(3).standard_normal((count, 8)).astype(np.float32)
    places = laid_out(drawn)
    assert (places.shape, bool(np.isfinite(places).all())) == ((count, 2), True)
    assert among(drawn[:1], drawn, places).shape == (1, 2)

"""Chunks that come beside the hits, in PostgreSQL: whose they are, in which order, and what is quoted of them."""

from __future__ import annotations

import pytest

from tests.conftest import ingest_text

pytestmark = pytest.mark.usefixtures("worker")

ANSWERS = {
    "en": ("When is the lighthouse painted?", "The lighthouse is painted white in May."),
    "ko": ("등대는 언제 칠합니까?", "등대는 오월에 하얗게 칠합니다."),
}
AROUND = {
    "en": "Ward {n} keeps its own ledger, and the clerk of ward {n} reads it to the council before harvest. ",
    "ko": "제{n}구는 장부를 따로 적고, 제{n}구의 서기는 추수 전에 의회에서 그것을 읽습니다. ",
}


def long_text(language: str) -> str:
    parts = [AROUND[language].format(n=number) for number in range(120)]
    parts.insert(60, ANSWERS[language][1] + " ")
    return "".join(parts)


@pytest.fixture(params=["en", "ko"])
async def shelf(request, tenant):
    await ingest_text(tenant, long_text(request.param), id="wards")
    await ingest_text(tenant, "Tea is served at five.", id="tea")
    return tenant, ANSWERS[request.param][0]


async def contexts(client, question: str, **fields) -> list[dict]:
    answer = await client.post("/search", json={"input": question, "top_k": 1, **fields})
    assert answer.status_code == 200, answer.text
    return answer.json()["contexts"]


async def ordinals(client) -> dict[str, int]:
    rows = (await client.get("/documents/wards/chunks?limit=100")).json()["data"]
    return {row["chunk_id"]: row["ord"] for row in rows}


async def test_the_nearest_of_the_same_document_come_first(shelf):
    client, question = shelf
    ords = await ordinals(client)
    (hit,) = await contexts(client, question)
    assert hit["neighbour_of"] is None
    found = await contexts(client, question, neighbours=2)
    assert found[0]["chunk_id"] == hit["chunk_id"]
    at = ords[hit["chunk_id"]]
    wanted = [at + step for step in (-1, 1, -2, 2) if at + step in ords.values()]
    assert len(wanted) >= 3
    assert [ords[each["chunk_id"]] for each in found[1:]] == wanted
    assert {each["neighbour_of"] for each in found[1:]} == {hit["chunk_id"]}
    assert {each["score"] for each in found} == {hit["score"]}
    assert [each["rank"] for each in found] == list(range(1, len(found) + 1))


async def test_a_hit_is_no_neighbour_and_none_comes_twice(shelf):
    client, question = shelf
    every = await contexts(client, question, top_k=100, neighbours=3)
    assert len(every) == len({each["chunk_id"] for each in every}) == len(await ordinals(client)) + 1
    assert not [each for each in every if each["neighbour_of"]]
    few = await contexts(client, question, top_k=3, neighbours=3)
    assert len(few) == len({each["chunk_id"] for each in few})
    assert [bool(each["neighbour_of"]) for each in few] == [False] * 3 + [True] * (len(few) - 3)


async def test_the_explanation_names_a_neighbour_once(shelf):
    client, question = shelf
    body = {"input": question, "top_k": 1, "neighbours": 1, "explain": True}
    answer = (await client.post("/search", json=body)).json()
    told = answer["explain"]["candidates"]
    assert len(told) == len({each["chunk_id"] for each in told})
    assert [each["chunk_id"] for each in told if each["fate"] == "used"] == [
        each["chunk_id"] for each in answer["contexts"]
    ]


async def test_a_quote_stays_within_its_chunk(shelf):
    client, question = shelf
    answer = (await client.post("/query", json={"input": question, "top_k": 1, "neighbours": 1})).json()
    texts = {each["chunk_id"]: each["text"] for each in answer["contexts"]}
    assert len(texts) > 1
    assert answer["citations"]
    for citation in answer["citations"]:
        span = citation["chunk_span"]
        assert texts[citation["chunk_id"]][span["start"] : span["end"]] == citation["quote"]


@pytest.mark.parametrize("fields", [{"neighbours": 4}, {"neighbours": -1}, {"per_document": 0}, {"neighbours": None}])
async def test_how_many_is_bounded(tenant, fields):
    for path in ("/search", "/query"):
        refused = await tenant.post(path, json={"input": "Tea?", **fields})
        assert (refused.status_code, refused.json()["errors"][0]["pointer"]) == (422, f"/{next(iter(fields))}")

"""`explain`: both legs, what was left out and why, and the prompt as it was sent."""

from __future__ import annotations

import json

import pytest

from tests.app.api.generating import GOOD, QUESTION
from tests.conftest import ingest_text

TEXTS = {
    "code": "Fault KX-4821B: the pump of the north hall has stopped. Call the caretaker.",
    "copy": "Fault KX-4821B: the pump of the north hall has stopped. Call the caretaker.",
    "bridge": "The bridge over the river is closed to lorries.",
    "leave": "연차 휴가는 팀장이 승인한다.",
}


@pytest.fixture(scope="module")
async def faults(new_tenant, worker):
    client = await new_tenant()
    for name, text in TEXTS.items():
        await ingest_text(client, text, id=name)
    return client


async def explained(client, route="/search", **fields):
    answer = await client.post(route, json={"explain": True, "input": "What is fault KX-4821B?", **fields})
    assert answer.status_code == 200, answer.text
    return answer.json()


def fates(body):
    return {each["document_id"]: each["fate"] for each in body["explain"]["candidates"]}


async def test_both_legs_and_the_fusion_are_told(faults):
    body = await explained(faults, top_k=1)
    first, *others = body["explain"]["candidates"]
    assert first["chunk_id"] == body["contexts"][0]["chunk_id"]
    assert first["fused"] == {"rank": 1, "score": round(body["contexts"][0]["score"], 4)}
    assert (first["dense"]["rank"], first["lexical"]["rank"]) == (1, 1)
    assert (first["rerank"], first["fate"]) == (None, "used")
    assert [each["fused"]["rank"] for each in others] == [2, 3, 4]
    assert {each["lexical"] is None for each in others if each["document_id"] in ("bridge", "leave")} == {True}
    assert "kx" in " ".join(body["explain"]["terms"]).lower()


@pytest.mark.parametrize(
    ("mode", "without"), [("dense", {"lexical", "fused"}), ("lexical", {"dense", "fused"}), ("hybrid", set())]
)
async def test_a_leg_that_was_not_asked_is_not_told(faults, mode, without):
    first = (await explained(faults, mode=mode))["explain"]["candidates"][0]
    assert {leg for leg in ("dense", "lexical", "fused") if first[leg] is None} == without


async def test_what_was_left_out_says_why(faults):
    assert sorted(fates(await explained(faults, top_k=1)).values()) == ["beyond_top_k"] * 3 + ["used"]
    best = (await explained(faults))["contexts"][0]["score"]
    assert "below_min_score" in fates(await explained(faults, min_score=best - 0.01)).values()
    (copied,) = {"code", "copy"} - {each["document_id"] for each in (await explained(faults, "/query"))["contexts"]}
    assert fates(await explained(faults, "/query"))[copied] == "copy"


async def test_unasked_nothing_is_told(faults):
    assert (await faults.post("/search", json={"input": "pump"})).json()["explain"] is None
    assert (await faults.post("/query", json={"input": "pump"})).json()["explain"] is None


async def test_without_an_engine_there_is_no_prompt(faults):
    for fields in ({}, {"dry_run": True}):
        body = await explained(faults, "/query", **fields)
        assert body["explain"]["prompt"] is None
        assert fates(body)["leave"]


async def test_the_prompt_is_told_as_it_was_sent(start):
    client, script = await start(GOOD)
    body = await explained(client, "/query", **QUESTION)
    prompt = body["explain"]["prompt"]
    assert prompt["messages"] == script.asked[0]["messages"]
    elements = {each["name"]: each for each in prompt["elements"]}
    assert set(elements) == {"instruction", "context", "input", "output_indicator"}
    assert elements["input"]["text"] == QUESTION["input"]
    assert elements["context"]["text"] in prompt["messages"][-1]["content"]
    assert {name: each["tokens"] for name, each in elements.items()}.items() <= body["prompt"]["tokens"].items()
    before = (await explained(client, "/query", dry_run=True, **QUESTION))["explain"]["prompt"]
    assert [each["name"] for each in before["elements"]] == list(elements)


async def test_what_does_not_fit_the_prompt_says_so(start):
    client, _ = await start(GOOD, tokens=150)
    for number in range(3):
        await ingest_text(
            client, f"Shelf {number} of the reading room: " + f"annals-{number} " * 30, id=f"shelf-{number}"
        )
    body = await explained(client, "/query", max_tokens=10, **QUESTION)
    assert body["prompt"]["dropped_contexts"] > 0
    assert list(fates(body).values()).count("token_budget") == body["prompt"]["dropped_contexts"]


async def test_a_stream_tells_it_at_its_end(start):
    client, _ = await start(GOOD)
    answer = await client.post("/query", json={"explain": True, "stream": True, **QUESTION})
    done = json.loads(answer.text.partition("event: done")[2].partition("data: ")[2].partition("\n")[0])
    assert done["explain"]["candidates"][0]["fate"] == "used"

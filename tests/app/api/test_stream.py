"""Answers as server-sent events; those of the real engine are in tests/e2e."""

from __future__ import annotations

import dataclasses
import json

import httpx
import pytest

from app.main import create_app
from tests.app.api.test_job_events import parsed
from tests.app.fake_engine import CHUNK, END, USAGE, engine_of
from tests.app.generation.test_replica import replica_with
from tests.conftest import ingest_text

__all__ = ["replica_with"]

TEXT = "The reading room opens at nine. It is closed on Mondays. 열람실은 월요일에 쉰다."
QUESTION = {"input": "When does the reading room open?"}


@pytest.fixture
async def shelf(tenant, worker):
    await ingest_text(tenant, TEXT, id="hours")
    return tenant


def whole(answer: dict) -> dict:
    return {key: value for key, value in answer.items() if key not in ("id", "timings_ms")}


async def ask(client, **fields) -> list[tuple[str, int, dict]]:
    answer = await client.post("/query", json={**QUESTION, **fields, "stream": True})
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"].startswith("text/event-stream")
    events = parsed(answer.text)
    assert [number for _, number, _ in events] == list(range(1, len(events) + 1))
    return events


@pytest.mark.parametrize("question", [QUESTION["input"], "열람실은 무슨 요일에 쉬나요?"])
async def test_the_last_event_is_the_answer_without_streaming(shelf, question):
    events = await ask(shelf, input=question)
    plain = (await shelf.post("/query", json={"input": question})).json()
    names = [name for name, _, _ in events]
    assert names == ["retrieval", "delta", *["citation"] * len(plain["citations"]), "done"]
    assert events[0][2]["contexts"] == plain["contexts"]
    assert events[1][2]["text"] == plain["answer"]
    assert [data for name, _, data in events if name == "citation"] == plain["citations"] != []
    assert whole(events[-1][2]) == whole(plain)


async def test_no_answer_streams_too(shelf):
    events = await ask(shelf, min_score=1)
    assert [name for name, _, _ in events] == ["retrieval", "delta", "done"]
    assert events[-1][2]["no_answer_reason"] == "below_min_score"
    assert events[1][2]["text"] == events[-1][2]["answer"]


async def test_what_is_wrong_before_the_first_event_has_its_status(shelf):
    answer = await shelf.post("/query", json={**QUESTION, "stream": True, "rerank": True})
    assert answer.status_code == 422
    assert answer.headers["content-type"] == "application/problem+json"


@pytest.fixture
async def with_engine(services, shelf, replica_with):
    """The application with an engine that sends these bytes."""

    async def start(body: str, **options) -> httpx.AsyncClient:
        engine = engine_of(await replica_with(200, body, **options))
        app = create_app(services.settings, dataclasses.replace(services, engine=engine))
        app.state.services = dataclasses.replace(services, engine=engine)
        return httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://kyujang", headers=shelf.headers)

    return start


async def test_text_comes_as_it_is_generated_where_it_stands(with_engine):
    client = await with_engine(CHUNK + END + USAGE, counting=True)
    events = await ask(client, grounding="mark")
    assert [data["text"] for name, _, data in events if name == "delta"] == ["Thirty", " days."]
    assert events[-1][2]["answer"] == "Thirty days."
    assert events[-1][2]["usage"] == {"prompt_tokens": 9, "completion_tokens": 2}


async def test_text_that_may_be_replaced_comes_after_its_check(with_engine):
    client = await with_engine(CHUNK + END + USAGE, counting=True)
    events = await ask(client, grounding="extract")
    assert [data["text"] for name, _, data in events if name == "delta"] == [events[-1][2]["answer"]]
    assert events[-1][2]["answer_mode"] == "extracted"
    assert "Thirty" not in json.dumps(events)


async def test_an_engine_that_dies_on_the_way_is_the_last_event(with_engine):
    client = await with_engine(CHUNK, counting=True, cut=True)
    events = await ask(client, grounding="mark")
    assert [name for name, _, _ in events] == ["retrieval", "delta", "error"]
    problem = events[-1][2]
    assert (problem["status"], problem["code"]) == (503, "engine_unavailable")
    assert problem["request_id"]

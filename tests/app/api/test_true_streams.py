"""What a caller has been shown has been checked, or is replaced in the same stream."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

import httpx
import pytest

from app.main import create_app
from tests.app.api.test_job_events import parsed
from tests.conftest import ingest_text
from tests.scripted import Script, scripted

TEXT = "The reading room opens at nine. It is closed on Mondays. Dogs may not enter the reading room."
QUESTION = "When does the reading room open?"
RULE = {"type": "json_schema", "json_schema": {"name": "a", "schema": {"type": "object"}}}

# What the engine says, and what the caller is to have.
REPLIES = {
    "a marker of no source": ("The reading room opens at nine [7]. It is closed on Mondays [1].", None),
    "a marker beside an unsupported sentence": ("The reading room has a bar [1]. It opens at nine.", None),
    "markers in the middle": ("열람실 [3]은 아홉 시에 [1] 엽니다. It is closed on Mondays [2].", None),
    "code": ("The reading room opens at nine: `x[9]` [9].", None),
    "a bare yes": ("Yes [4].", None),
    "thoughts without a beginning": ("Let me see [9].</think>It is closed on Mondays [1].", None),
    "a late refusal": ("It opens at [[NO_ANSWER]]", None),
    "json": ('{"opens": "at nine [9]", "dogs_may_enter_the_reading_room": true}', RULE),
    "json cut short": ('{"opens": "at nine [9]", "dogs": "Do', RULE),
}


@pytest.fixture(scope="module")
async def shelf(tenant, worker) -> httpx.AsyncClient:
    await ingest_text(tenant, TEXT, id="hours")
    return tenant


@pytest.fixture
async def engine(services, shelf) -> AsyncIterator:
    async with AsyncExitStack() as opened:

        async def start(reply: str) -> httpx.AsyncClient:
            # As tokens come: a few characters at a time.
            engine = await opened.enter_async_context(scripted(Script(replies=[reply], piece=3)))
            app = create_app(services.settings, dataclasses.replace(services, engine=engine))
            app.state.services = dataclasses.replace(services, engine=engine)
            transport = httpx.ASGITransport(app)
            return httpx.AsyncClient(transport=transport, base_url="http://kyujang", headers=shelf.headers)

        yield start


@pytest.mark.parametrize("grounding", ["mark", "off", "refuse"])
@pytest.mark.parametrize("case", REPLIES)
async def test_a_stream_and_its_spans_are_of_the_checked_text(engine, case, grounding):
    reply, form = REPLIES[case]
    client = await engine(reply)
    asking = {"grounding": grounding, **({"response_format": form} if form else {})}
    plain = (await client.post("/query", json={"input": QUESTION, **asking})).json()
    events = parsed((await client.post("/query", json={"input": QUESTION, **asking, "stream": True})).text)
    done = events[-1][2]
    turns = {"model": "default", "messages": [{"role": "user", "content": QUESTION}], **asking}
    chunks = [
        json.loads(line.removeprefix("data: "))
        for line in (await client.post("/v1/chat/completions", json={**turns, "stream": True})).text.split("\n\n")
        if line.startswith("data: {")
    ]
    told = [chunk["choices"][0]["delta"] for chunk in chunks if chunk["choices"]]
    last = chunks[-1]["kyujang"]
    whole = (await client.post("/v1/chat/completions", json=turns)).json()
    answer = plain["answer"]
    for shown in (
        "".join(data["text"] for name, _, data in events if name == "delta"),
        "".join(delta.get("content") or delta.get("refusal") or "" for delta in told),
    ):
        # What turns out not to be the answer is followed by the answer.
        assert shown == answer or (
            case in ("thoughts without a beginning", "a late refusal") and shown.endswith(f"\n\n{answer}")
        )
    message = whole["choices"][0]["message"]
    assert (
        answer
        == done["answer"]
        == last["answer"]
        == whole["kyujang"]["answer"]
        == (message["content"] or message["refusal"])
    )
    for other in (done, last, whole["kyujang"]):
        assert (other["citations"], other["unsupported"]) == (plain["citations"], plain["unsupported"])
    ends = [each["answer_span"] for each in plain["citations"]] + plain["unsupported"]
    assert all(0 <= span["start"] < span["end"] <= len(answer) for span in ends)
    if not form:
        assert "[9]" not in answer.replace("`x[9]`", "")
        assert not {"[2]", "[3]", "[4]", "[7]"} & set(answer.split())


async def test_text_comes_before_its_sentence_ends(engine):
    client = await engine("The reading room opens at nine [7]. It is closed on Mondays [1].")
    events = parsed((await client.post("/query", json={"input": QUESTION, "grounding": "mark", "stream": True})).text)
    said = [data["text"] for name, _, data in events if name == "delta"]
    assert said[:3] == ["The", " re", "adi"]
    assert len(said) > 10

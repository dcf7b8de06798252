"""Questions that the engine refuses before it answers, and questions that it cuts."""

from __future__ import annotations

import pytest

from tests.app.api.generating import GOOD, QUESTION, ask
from tests.app.api.test_job_events import parsed

UNSURE = {"[[": 0.75, "The": 0.25}


@pytest.mark.parametrize("grounding", ["mark", "extract", "refuse", "off"])
async def test_what_the_engine_thinks_unanswered_is_refused_before_an_answer(start, grounding):
    client, script = await start(GOOD)
    script.said = {script.model: UNSURE}
    answer = await ask(client, grounding=grounding, min_answerability=0.5)
    assert (answer["finish_reason"], answer["no_answer_reason"]) == ("no_answer", "not_answered_here")
    assert (answer["answer"], answer["citations"]) == ("I don't know: the documents do not answer this.", [])
    assert (answer["answerability"], answer["answer_mode"], script.asked) == (0.25, "generated", [])
    assert answer["usage"] == {"prompt_tokens": 9, "completion_tokens": 2, "answerability_tokens": 11}
    assert answer["timings_ms"]["answerability"] > 0
    assert answer["contexts"]


async def test_what_passes_is_answered_as_ever_and_counted(start):
    client, script = await start(GOOD, min_answerability=0.2)
    script.said = {script.model: UNSURE}
    answer = await ask(client)
    assert (answer["answer"], answer["answerability"]) == (GOOD, 0.25)
    assert answer["usage"] == {"prompt_tokens": 18, "completion_tokens": 4, "answerability_tokens": 11}
    assert (await ask(client, min_answerability=0.3))["no_answer_reason"] == "not_answered_here"
    plain = await ask(client, min_answerability=0)
    assert (plain["answer"], plain["answerability"], "answerability_tokens" in plain["usage"]) == (GOOD, None, False)


async def test_a_refusal_is_streamed_as_one_text(start):
    client, script = await start(GOOD)
    script.said = {script.model: UNSURE}
    response = await client.post("/query", json={**QUESTION, "stream": True, "min_answerability": 0.5})
    events = parsed(response.text)
    assert [name for name, _, _ in events] == ["retrieval", "delta", "done"]
    assert events[-1][2]["no_answer_reason"] == "not_answered_here"


async def test_without_an_engine_there_is_nobody_to_ask(shelf):
    refused = await shelf.post("/query", json={**QUESTION, "min_answerability": 0.5})
    assert (refused.status_code, refused.json()["errors"][0]["pointer"]) == (422, "/min_answerability")
    assert (await ask(shelf, min_answerability=0))["finish_reason"] == "stop"


async def test_the_engine_cuts_a_question_that_words_leave_whole(start):
    asked = "Tell me the hour at which the reading room opens and the day on which it is closed."
    parts = "At which hour opens the reading room?\nOn which day is the reading room closed?"
    client, script = await start(parts, GOOD)
    answer = await ask(client, input=asked, decompose="engine")
    assert len(script.asked) == 2
    assert (answer["answer"], answer["timings_ms"]["decompose"] > 0) == (GOOD, True)
    assert "decompose" not in (await ask(client, input=asked, decompose=True))["timings_ms"]

"""What becomes of replies that a capable model gives: refusals, reasoning, conversations, JSON; and of none at all."""

from __future__ import annotations

import pytest

from app.grounding.check_model import CheckModel
from app.prompting.elements import NO_ANSWER
from app.settings import PACKAGED_MODEL, Settings
from tests import onnx_models
from tests.app.api.generating import FORMAT, GOOD, INVENTED, QUESTION, ask
from tests.app.api.test_job_events import parsed
from tests.conftest import ingest_text


async def test_an_answer_that_the_sources_support(start):
    client, script = await start(GOOD)
    answer = await ask(client)
    assert answer["answer"] == GOOD
    assert answer["citations"][0]["quote"] == "The reading room opens at nine."
    assert answer["unsupported"] == []
    assert script.asked[0]["temperature"] == 0
    assert script.asked[0]["max_tokens"] == 256


@pytest.mark.parametrize(
    "reply", [NO_ANSWER, f"출처에 없습니다. {NO_ANSWER}", f"<think>Hm.</think>{NO_ANSWER}", "", " \n"]
)
@pytest.mark.parametrize("grounding", ["mark", "extract", "refuse", "off"])
async def test_a_model_declines_by_protocol(start, reply, grounding):
    client, _ = await start(reply)
    answer = await ask(client, grounding=grounding)
    assert (answer["finish_reason"], answer["no_answer_reason"]) == ("no_answer", "model_declined")
    assert answer["answer"] == "I don't know: the documents do not answer this."
    assert answer["citations"] == []


@pytest.mark.parametrize("reply", ["I don't know.", "모르겠습니다."])
async def test_a_phrase_is_no_refusal(start, reply):
    client, _ = await start(reply)
    assert (await ask(client, grounding="off"))["finish_reason"] == "stop"


async def test_what_the_sources_do_not_support(start):
    client, _ = await start(INVENTED)
    marked = await ask(client)
    assert [INVENTED[span["start"] : span["end"]] for span in marked["unsupported"]]
    assert (await ask(client, grounding="off"))["unsupported"] == []
    extracted = await ask(client, grounding="extract")
    assert (extracted["answer_mode"], extracted["finish_reason"]) == ("extracted", "stop")
    assert "nine" in extracted["answer"]
    refused = await ask(client, grounding="refuse")
    assert (refused["finish_reason"], refused["no_answer_reason"]) == ("no_answer", "model_declined")


async def test_grounding_comes_from_the_question_the_prompt_the_setting_or_the_model(start):
    client, _ = await start(INVENTED)
    await client.put("/prompts/strict", json={"grounding": "refuse"})
    assert (await ask(client, prompt="strict"))["finish_reason"] == "no_answer"
    assert (await ask(client, prompt="strict", grounding="mark"))["answer"] == INVENTED.replace(" [1]", "")
    client, _ = await start(INVENTED, grounding="extract")
    assert (await ask(client))["answer_mode"] == "extracted"
    client, _ = await start(INVENTED, model=PACKAGED_MODEL)
    assert (await ask(client))["answer_mode"] == "extracted"


async def test_reasoning_is_kept_apart(start):
    client, script = await start(f"<think>Source 1 says nine, not seven.</think>\n{GOOD}")
    answer = await ask(client, reasoning=True)
    assert (answer["answer"], answer["reasoning"]) == (GOOD, "Source 1 says nine, not seven.")
    assert "<think>" in script.asked[0]["messages"][0]["content"]
    events = parsed((await client.post("/query", json={**QUESTION, "reasoning": True, "stream": True})).text)
    assert "".join(data["text"] for name, _, data in events if name == "delta") == GOOD
    assert events[-1][2]["reasoning"] == answer["reasoning"]


async def test_a_streamed_answer_is_the_same_object(start):
    client, _ = await start(GOOD)
    plain = await ask(client)
    events = parsed((await client.post("/query", json={**QUESTION, "stream": True})).text)
    changing = ("id", "timings_ms")
    assert [name for name, _, _ in events if name != "delta"] == ["retrieval", "citation", "done"]
    assert "".join(data["text"] for name, _, data in events if name == "delta") == plain["answer"]
    assert {key: value for key, value in events[-1][2].items() if key not in changing} == {
        key: value for key, value in plain.items() if key not in changing
    }


TURNS = [
    {"role": "user", "content": "Tell me about the reading room."},
    {"role": "assistant", "content": "The reading room is in Seoul."},
]


async def test_a_conversation_is_condensed_and_sent_along(start):
    client, script = await start("When does the reading room open?", GOOD)
    answer = await ask(client, input="When does it open?", messages=TURNS)
    assert answer["search_query"] == "When does the reading room open?"
    rewriting, answering = script.asked
    assert "assistant: The reading room is in Seoul." in rewriting["messages"][1]["content"]
    assert [message["role"] for message in answering["messages"]] == ["system", "user", "assistant", "user"]
    assert answering["messages"][-1]["content"].count("When does it open?") == 1
    assert answer["prompt"]["tokens"]["messages"] == 12
    assert answer["citations"]


@pytest.mark.parametrize("rewritten", ["Elon Musk founded a company on Mars.", "", "x" * 600, 500])
async def test_a_rewriting_that_is_not_of_the_conversation_is_not_searched_for(start, rewritten):
    client, _ = await start(rewritten, GOOD)
    answer = await ask(client, input="When does it open?", messages=TURNS)
    assert answer["search_query"] == "Tell me about the reading room.\nWhen does it open?"
    assert answer["answer"] == GOOD


@pytest.mark.parametrize(
    ("turn", "question", "said"),
    [
        ("Tell me about the reading room.", "When is it closed?", "Mondays"),
        ("열람실은 언제 여나요?", "그럼 열람실은 월요일에 쉬나요?", "월요일"),
    ],
)
async def test_a_conversation_without_an_engine(shelf, turn, question, said):
    answer = await ask(shelf, input=question, messages=[{"role": "user", "content": turn}, TURNS[1]])
    assert said in answer["answer"]
    assert answer["search_query"] == f"{turn}\n{question}"


@pytest.mark.parametrize("stream", [False, True])
async def test_while_the_engine_is_down_the_documents_answer(start, stream):
    client, _ = await start(500, fallback="extract")
    answer = await client.post("/query", json={**QUESTION, "stream": stream})
    assert answer.status_code == 200
    body = parsed(answer.text)[-1][2] if stream else answer.json()
    assert (body["answer_mode"], body["fallback"]) == ("extracted", "engine_unavailable")
    assert "nine" in body["answer"]
    refused = await client.post("/query", json={**QUESTION, "response_format": FORMAT})
    assert refused.status_code == 503


async def test_without_the_fallback_it_is_an_error(start):
    client, _ = await start(500)
    refused = await client.post("/query", json=QUESTION)
    assert (refused.status_code, refused.json()["code"]) == (503, "engine_unavailable")
    assert refused.headers["retry-after"]


async def test_contexts_and_turns_are_dropped_until_the_prompt_fits(start, shelf):
    for number in range(3):
        await ingest_text(shelf, f"Reading room note {number}. " + "word " * 150, id=f"note-{number}")
    client, script = await start(GOOD, tokens=700)
    turns = [
        turn for number in range(6) for turn in ({"role": "user", "content": f"{number} " + "turn " * 30}, TURNS[1])
    ]
    answer = await ask(client, messages=turns, max_tokens=100)
    prompt = answer["prompt"]
    assert prompt["dropped_contexts"] > 0
    assert 0 < prompt["dropped_messages"] < 12
    assert prompt["tokens"]["total"] + 100 <= 700
    sent = script.asked[-1]["messages"]
    assert sent[-2] == turns[-1]
    assert len(sent) == 2 + 12 - prompt["dropped_messages"]
    assert [context["rank"] for context in answer["contexts"]] == list(range(1, len(answer["contexts"]) + 1))


async def test_a_question_that_cannot_fit_says_by_how_much(start):
    client, _ = await start(GOOD, tokens=400)
    refused = await client.post("/query", json={**QUESTION, "input": "열람실 " * 300, "max_tokens": 200})
    assert refused.status_code == 422
    assert "tokens too long" in refused.json()["detail"]
    assert refused.json()["errors"][0]["pointer"] == "/input"


PARAPHRASE = "People may come in from nine in the morning. [1]"


@pytest.mark.parametrize(("chance", "supported"), [(0.9, True), (0.1, False)])
async def test_the_engine_judges_what_words_leave_open(start, chance, supported):
    client, script = await start(PARAPHRASE)
    script.said = {script.model: {"Yes": chance, "No": 1 - chance}}
    plain = await ask(client)
    assert [each["reason"] for each in plain["unsupported"]] == ["no_source"]
    assert "check_tokens" not in plain["usage"]
    answer = await ask(client, grounding_check="auto")
    assert [(each["reason"], each["support"]) for each in answer["citations"]] == [("judged", 0.9)] * supported
    assert len(answer["unsupported"]) == (not supported)
    assert answer["usage"] == {"prompt_tokens": 18, "completion_tokens": 4, "check_tokens": 11}
    assert answer["timings_ms"]["check"] > 0


@pytest.mark.parametrize("how", ["model", "auto"])
async def test_a_small_model_judges_in_place_of_the_engine(start, tmp_path, how):
    vocabulary = ["people", "may", "come", "in", "from", "nine", "the", "morning"]
    checker = CheckModel(onnx_models.word_checker(tmp_path, vocabulary, weight=0.0, bias=-5.0), Settings())
    client, script = await start(PARAPHRASE, checker=checker, grounding_check_timeout_s=60)
    answer = await ask(client, grounding_check=how)
    assert [each["reason"] for each in answer["citations"]] == ["judged"]
    assert (len(script.asked), answer["usage"]["check_tokens"]) == (1, 0)
    assert answer["timings_ms"]["check"] > 0
    await checker.close()


async def test_without_a_checker_the_model_cannot_be_asked_for(start):
    client, script = await start(PARAPHRASE)
    refused = await client.post("/query", json={**QUESTION, "grounding_check": "model"})
    assert (refused.status_code, refused.json()["errors"][0]["pointer"]) == (422, "/grounding_check")
    assert "KYUJANG_CHECKER" in refused.json()["detail"]
    assert script.asked == []


async def test_a_judge_that_says_neither_leaves_the_sentence_unchecked(start):
    client, _ = await start(PARAPHRASE, grounding_check="auto")
    answer = await ask(client)
    assert (answer["citations"], answer["unsupported"], len(answer["unchecked"])) == ([], [], 1)
    assert (await ask(client, grounding="refuse"))["finish_reason"] == "no_answer"
    assert (await ask(client, grounding_check="lexical"))["unchecked"] == []


async def test_a_judged_answer_is_streamed_at_once(start):
    client, script = await start(PARAPHRASE)
    script.said = {script.model: {"Yes": 1.0}}
    response = await client.post("/query", json={**QUESTION, "stream": True, "grounding_check": "engine"})
    events = parsed(response.text)
    assert [name for name, _, _ in events if name != "delta"] == ["retrieval", "citation", "done"]
    assert events[1][0] == "delta"
    assert "".join(data["text"] for name, _, data in events if name == "delta") == events[-1][2]["answer"]


@pytest.mark.parametrize(
    ("language", "refusal"), [("ko", "모르겠습니다"), ("en", "I don't know"), (None, "I don't know")]
)
async def test_the_language_that_is_asked_for_is_that_of_prompt_and_refusal(start, language, refusal):
    client, script = await start(NO_ANSWER)
    answer = await ask(client, language=language)
    assert answer["answer"].startswith(refusal)
    assert ("출처" in script.asked[0]["messages"][0]["content"]) == (language == "ko")

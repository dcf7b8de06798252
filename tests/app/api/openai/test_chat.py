"""The OpenAI-compatible routes without an engine."""

from __future__ import annotations

import asyncio
import json

import openai
import pytest

from tests.app.api.openai.conftest import ENGLISH, KOREAN, NOTHING_SAID, asking, key_of


@pytest.mark.parametrize("text", [ENGLISH, KOREAN])
async def test_an_answer_is_the_one_of_query(client, shelf, text):
    answer = (await shelf.post("/query", json={"input": text})).json()
    completion = await client.chat.completions.create(**asking(text))
    assert completion.id.startswith("chatcmpl-")
    assert completion.object == "chat.completion"
    assert completion.model == "default"
    assert completion.created > 1_700_000_000
    choice = completion.choices[0]
    assert (choice.message.role, choice.message.content) == ("assistant", answer["answer"])
    assert (choice.finish_reason, choice.message.refusal) == ("stop", None)
    assert completion.usage.total_tokens == 0
    grounds = completion.kyujang
    assert grounds["citations"] == answer["citations"] != []
    assert grounds["answer_mode"] == "extracted"
    assert grounds["prompt"] == answer["prompt"]
    assert grounds["search_query"] == text
    assert [each["chunk_id"] for each in grounds["contexts"]] == [each["chunk_id"] for each in answer["contexts"]]
    assert "text" not in grounds["contexts"][0]


async def test_the_client_that_blocks_gets_the_same(client, url, shelf):
    def ask() -> tuple:
        with openai.OpenAI(base_url=url, api_key=key_of(shelf)) as blocking:
            whole = blocking.chat.completions.create(**asking(KOREAN))
            chunks = list(blocking.chat.completions.create(**asking(KOREAN), stream=True))
            return whole, chunks, [model.id for model in blocking.models.list()]

    whole, chunks, models = await asyncio.to_thread(ask)
    expected = (await client.chat.completions.create(**asking(KOREAN))).choices[0].message.content
    assert whole.choices[0].message.content == expected
    assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks) == expected
    assert models == ["default", "clerk"]


@pytest.mark.parametrize("text", [ENGLISH, KOREAN])
async def test_a_stream_adds_up_to_the_answer(client, text):
    whole = await client.chat.completions.create(**asking(text))
    options = {"stream": True, "stream_options": {"include_usage": True}}
    chunks = [chunk async for chunk in await client.chat.completions.create(**asking(text), **options)]
    first, *_, last, usage = chunks
    assert {(chunk.id, chunk.object, chunk.model) for chunk in chunks} == {
        (first.id, "chat.completion.chunk", "default")
    }
    assert first.choices[0].delta.role == "assistant"
    said = [chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices]
    assert "".join(said) == whole.choices[0].message.content
    assert [chunk.choices[0].finish_reason for chunk in chunks[:-1]] == [*[None] * (len(chunks) - 2), "stop"]
    assert last.kyujang["citations"] == whole.kyujang["citations"] != []
    assert (usage.choices, usage.usage) == ([], whole.usage)
    assert first.usage is None


async def test_a_stream_is_data_lines_that_end_in_done(shelf):
    answer = await shelf.post("/v1/chat/completions", json=asking(ENGLISH, stream=True))
    assert answer.headers["content-type"].startswith("text/event-stream")
    *blocks, done, rest = answer.text.split("\n\n")
    assert (done, rest) == ("data: [DONE]", "")
    chunks = [json.loads(block.removeprefix("data: ")) for block in blocks]
    assert "usage" not in chunks[0]
    assert chunks[-1]["choices"][0]["finish_reason"] == "stop"


async def test_no_answer_stops_and_says_why(client):
    completion = await client.chat.completions.create(**asking(NOTHING_SAID))
    assert completion.choices[0].finish_reason == "stop"
    assert completion.kyujang["no_answer_reason"] == "model_declined"
    korean = await client.chat.completions.create(**asking(KOREAN), extra_body={"min_score": 1.0})
    assert korean.choices[0].message.content == "모르겠습니다. 문서에서 답을 찾을 수 없습니다."
    assert korean.kyujang["no_answer_reason"] == "below_min_score"


async def test_a_stored_prompt_is_a_model(client):
    for model, version in (("clerk", 2), ("clerk@1", 1)):
        completion = await client.chat.completions.create(**asking(NOTHING_SAID) | {"model": model})
        assert completion.model == model
        assert completion.choices[0].message.content == "Ask at the desk."
        prompt = completion.kyujang["prompt"]
        assert (prompt["name"], prompt["version"]) == ("clerk", version)


async def test_fields_of_ours_go_in_the_extra_body(client):
    extra = {"top_k": 1, "mode": "lexical", "rerank": False, "grounding": "refuse"}
    here = {**extra, "filters": {"key": "metadata.branch", "op": "eq", "value": "Seoul"}}
    elsewhere = {**extra, "filters": {"key": "metadata.branch", "op": "eq", "value": "Busan"}}
    found = await client.chat.completions.create(**asking(ENGLISH), extra_body=here)
    assert [each["document_id"] for each in found.kyujang["contexts"]] == ["hours"]
    nothing = await client.chat.completions.create(**asking(ENGLISH), extra_body=elsewhere)
    assert nothing.kyujang["no_answer_reason"] == "nothing_retrieved"


async def test_an_answer_can_be_sent_back_as_it_came(client):
    messages = [{"role": "user", "content": "When is the reading room closed?"}]
    completion = await client.chat.completions.create(model="default", messages=messages)
    messages += [completion.choices[0].message, {"role": "user", "content": "And when does it open?"}]
    again = await client.chat.completions.create(model="default", messages=messages)
    assert again.kyujang["search_query"] == "When is the reading room closed?\nAnd when does it open?"
    assert "nine" in again.choices[0].message.content


async def test_what_libraries_send_by_habit_is_taken(client):
    completion = await client.chat.completions.create(
        **asking(ENGLISH),
        n=1,
        logprobs=False,
        frequency_penalty=0.0,
        presence_penalty=0,
        logit_bias={},
        user="u-1",
        store=True,
        metadata={"a": "b"},
        service_tier="auto",
        parallel_tool_calls=True,
        tool_choice="auto",
        tools=[],
        modalities=["text"],
        response_format={"type": "text"},
        stop=None,
        max_tokens=None,
        extra_body={"safety_identifier": "x", "reasoning_effort": None},
    )
    assert completion.choices[0].message.content


async def test_models_are_the_prompts(client):
    models = (await client.models.list()).data
    assert [model.id for model in models] == ["default", "clerk"]
    assert {model.object for model in models} == {"model"}
    assert models[0].created == 0
    assert models[1].created > 1_700_000_000
    for id in ("default", "clerk", "clerk@1"):
        assert (await client.models.retrieve(id)).id == id


async def test_default_is_what_is_active(url, new_tenant):
    own = await new_tenant()
    await own.put("/prompts/desk", json={"no_answer_text": "At the desk."})
    await own.post("/prompts/desk/activate", json={"version": 1})
    async with openai.AsyncOpenAI(base_url=url, api_key=key_of(own)) as client:
        completion = await client.chat.completions.create(**asking("x"))
        assert completion.choices[0].message.content == "At the desk."
        default, desk = (await client.models.list()).data
        assert default.created == desk.created


async def test_more_prompts_than_fit_a_page_are_listed(url, new_tenant, monkeypatch):
    monkeypatch.setattr("app.api.openai.MODELS_AT_ONCE", 2)
    own = await new_tenant()
    for number in range(5):
        await own.put(f"/prompts/p{number}", json={})
    async with openai.AsyncOpenAI(base_url=url, api_key=key_of(own)) as client:
        assert [model.id for model in (await client.models.list()).data] == ["default", "p0", "p1", "p2", "p3", "p4"]

"""The OpenAI-compatible routes with an engine that says what a test tells it to."""

from __future__ import annotations

import asyncio
import dataclasses
import json

import openai
import pydantic
import pytest

from tests.app.api.openai.conftest import ENGLISH, KOREAN, TEXT, asking, served, texts
from tests.app.fake_engine import CHUNK, END, USAGE


async def test_what_the_engine_gets(with_engine):
    client, engine = await with_engine(CHUNK + END + USAGE)
    await client.chat.completions.create(
        model="clerk",
        messages=[
            {"role": "system", "content": "You are terse."},
            {"role": "user", "content": [{"type": "text", "text": "어제 물었던"}, {"type": "text", "text": "열람실"}]},
            {"role": "assistant", "content": "네."},
            {"role": "developer", "content": "반말은 쓰지 마세요."},
            {"role": "user", "content": KOREAN},
        ],
        temperature=0.5,
        top_p=0.9,
        max_completion_tokens=20,
        max_tokens=9,
        stop="\n\n",
        seed=7,
        extra_body={"grounding": "mark"},
    )
    sent = json.loads(engine.chats[-1])
    assert {name: sent[name] for name in ("temperature", "top_p", "max_tokens", "stop", "seed")} == {
        "temperature": 0.5,
        "top_p": 0.9,
        "max_tokens": 20,
        "stop": ["\n\n"],
        "seed": 7,
    }
    system, *turns, question = sent["messages"]
    # The persona of the stored prompt gives way; what keeps an answer to its sources stays.
    assert system["content"].startswith("You are terse.\n\n반말은 쓰지 마세요.\n\n번호가 붙은 출처만")
    assert "[[NO_ANSWER]]" in system["content"]
    assert turns == [{"role": "user", "content": "어제 물었던\n열람실"}, {"role": "assistant", "content": "네."}]
    assert KOREAN in question["content"]
    assert TEXT in question["content"]


async def test_text_and_usage_come_as_the_engine_sends_them(with_engine):
    client, _ = await with_engine(CHUNK + END + USAGE)
    options = {"stream": True, "stream_options": {"include_usage": True}, "extra_body": {"grounding": "mark"}}
    chunks = [chunk async for chunk in await client.chat.completions.create(**asking(ENGLISH), **options)]
    said = [chunk.choices[0].delta.content for chunk in chunks if chunk.choices and chunk.choices[0].delta.content]
    assert said == ["Thirty", " days."]
    assert chunks[-2].kyujang["answer_mode"] == "generated"
    marked = {"start": 0, "end": len("Thirty days."), "reason": "no_source"}
    assert chunks[-2].kyujang["unsupported"] == [marked]
    assert (chunks[-1].usage.prompt_tokens, chunks[-1].usage.completion_tokens) == (9, 2)
    assert chunks[-1].usage.total_tokens == 11
    whole = await client.chat.completions.create(**asking(ENGLISH), extra_body={"grounding": "mark"})
    assert whole.usage == chunks[-1].usage
    assert whole.kyujang["model"] == "smollm2"


async def test_an_answer_cut_short_says_length(with_engine):
    client, _ = await with_engine(CHUNK + END.replace('"stop"', '"length"') + USAGE)
    completion = await client.chat.completions.create(**asking(ENGLISH), extra_body={"grounding": "mark"})
    assert completion.choices[0].finish_reason == "length"


async def test_reasoning_is_named_as_vllm_names_it(with_engine):
    client, _ = await with_engine(texts("<think>", "Nine, then.", "</think>", "It opens at nine."))
    completion = await client.chat.completions.create(**asking(ENGLISH), extra_body={"grounding": "mark"})
    assert completion.choices[0].message.reasoning_content == "Nine, then."
    assert completion.choices[0].message.content == "It opens at nine."
    chunks = [chunk async for chunk in await client.chat.completions.create(**asking(ENGLISH), stream=True)]
    thoughts = [getattr(chunk.choices[0].delta, "reasoning_content", None) for chunk in chunks]
    assert [thought for thought in thoughts if thought] == ["Nine, then."]


class Opening(pydantic.BaseModel):
    opens: str


async def test_a_schema_is_kept_and_parsed(with_engine):
    client, engine = await with_engine(texts('{"opens": ', '"at nine"}'))
    completion = await client.chat.completions.parse(**asking(ENGLISH), response_format=Opening)
    assert completion.choices[0].message.parsed == Opening(opens="at nine")
    sent = json.loads(engine.chats[-1])["response_format"]["json_schema"]["schema"]
    assert sent["anyOf"][0]["required"] == ["opens"]
    async with client.chat.completions.stream(**asking(ENGLISH), response_format=Opening) as stream:
        final = await stream.get_final_completion()
    assert final.choices[0].message.parsed == Opening(opens="at nine")


async def test_no_answer_in_a_schema_is_a_refusal(with_engine):
    client, _ = await with_engine(texts('{"no_answer"', ": true}"))
    completion = await client.chat.completions.parse(**asking(KOREAN), response_format=Opening)
    message = completion.choices[0].message
    assert (message.parsed, message.content) == (None, None)
    assert message.refusal == "모르겠습니다. 문서에서 답을 찾을 수 없습니다."
    async with client.chat.completions.stream(**asking(KOREAN), response_format=Opening) as stream:
        final = await stream.get_final_completion()
    assert final.choices[0].message.refusal == message.refusal
    assert final.choices[0].message.parsed is None


@pytest.mark.parametrize("stream", [False, True])
async def test_an_engine_that_is_down_is_unavailable(with_engine, stream):
    client, _ = await with_engine("overloaded", status=503)
    with pytest.raises(openai.InternalServerError) as caught:
        await client.chat.completions.create(**asking(ENGLISH), stream=stream)
    error = caught.value
    assert (error.status_code, error.code, error.type) == (503, "engine_unavailable", "server_error")
    assert error.response.headers["retry-after"]


@pytest.mark.parametrize("stream", [False, True])
async def test_too_many_requests_are_a_rate_limit(with_engine, stream):
    go_on = asyncio.Event()
    limits = {"concurrency": 1, "per_tenant": 1, "queue": 0}
    client, engine = await with_engine(CHUNK, go_on, END + USAGE, limits=limits)
    under_way = asyncio.create_task(client.chat.completions.create(**asking(ENGLISH)))
    async with asyncio.timeout(30):
        while not engine.running:
            await asyncio.sleep(0.01)
    with pytest.raises(openai.RateLimitError) as caught:
        await client.chat.completions.create(**asking(ENGLISH), stream=stream)
    assert (caught.value.type, caught.value.code) == ("rate_limit_error", "too_many_requests")
    assert caught.value.response.headers["retry-after"]
    go_on.set()
    assert (await under_way).choices[0].message.content


async def test_a_stream_that_breaks_off_raises_in_the_client(with_engine):
    client, _ = await with_engine(CHUNK, cut=True)
    stream = await client.chat.completions.create(**asking(ENGLISH), stream=True, extra_body={"grounding": "mark"})
    said = [(await anext(stream)).choices[0].delta.content for _ in range(2)]
    with pytest.raises(openai.APIError, match="stopped in the middle") as caught:
        await anext(stream)
    assert said == ["", "Thirty"]
    assert caught.value.body["code"] == "engine_unavailable"


async def test_without_keys_any_key_will_do(services):
    settings = services.settings.model_copy(update={"auth": "off"})
    async with (
        served(dataclasses.replace(services, settings=settings)) as url,
        openai.AsyncOpenAI(base_url=url, api_key="anything") as client,
    ):
        assert (await client.models.list()).data[0].id == "default"

"""The OpenAI-compatible routes, asked by OpenAI's own client over TCP; the real engine is in tests/e2e."""

from __future__ import annotations

import asyncio
import dataclasses
import json
import socket
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

import httpx
import openai
import pydantic
import pytest
import uvicorn

from app.main import create_app
from tests.app.fake_engine import CHUNK, END, USAGE, FakeEngine, engine_of, fake_engines
from tests.conftest import ingest_text

TEXT = "The reading room opens at nine. It is closed on Mondays. 열람실은 월요일에 쉰다."
ENGLISH, KOREAN = "When does the reading room open?", "열람실은 무슨 요일에 쉬나요?"
NOTHING_SAID = "What is the boiling point of tungsten?"


def asking(text: str, **more) -> dict:
    return {"model": "default", "messages": [{"role": "user", "content": text}], **more}


@asynccontextmanager
async def served(services) -> AsyncIterator[str]:
    """The application on a port of its own, so that text arrives as it is sent."""
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        server = uvicorn.Server(uvicorn.Config(create_app(services.settings, services), log_config=None))
        task = asyncio.create_task(server.serve([listening]))
        yield f"http://127.0.0.1:{listening.getsockname()[1]}/v1"
        server.should_exit = True
        await task


@pytest.fixture(scope="module")
async def url(services) -> AsyncIterator[str]:
    async with served(services) as url:
        yield url


@pytest.fixture(scope="module")
async def shelf(tenant, worker) -> httpx.AsyncClient:
    await ingest_text(tenant, TEXT, id="hours", title="Hours", metadata={"branch": "Seoul"})
    for persona in ("A clerk.", "친절한 사서."):
        await tenant.put("/prompts/clerk", json={"persona": persona, "no_answer_text": "Ask at the desk."})
    return tenant


def key_of(tenant: httpx.AsyncClient) -> str:
    return tenant.headers["authorization"].removeprefix("Bearer ")


@pytest.fixture
async def client(url, shelf) -> AsyncIterator[openai.AsyncOpenAI]:
    async with openai.AsyncOpenAI(base_url=url, api_key=key_of(shelf), max_retries=0) as client:
        yield client


@pytest.fixture
async def with_engine(services, shelf) -> AsyncIterator:
    """A client of the application with an engine that sends these bytes."""
    async with AsyncExitStack() as opened:

        async def start(*pieces, limits: dict | None = None, **options) -> tuple[openai.AsyncOpenAI, FakeEngine]:
            fake = FakeEngine(pieces=pieces, **options)
            await opened.enter_async_context(fake_engines(fake))
            replica = fake.replica()
            opened.push_async_callback(replica.close)
            engine = engine_of(replica, **limits or {})
            url = await opened.enter_async_context(served(dataclasses.replace(services, engine=engine)))
            client = openai.AsyncOpenAI(base_url=url, api_key=key_of(shelf), max_retries=0)
            return await opened.enter_async_context(client), fake

        yield start


def texts(*parts: str) -> str:
    chunks = [json.dumps({"choices": [{"delta": {"content": part}, "finish_reason": None}]}) for part in parts]
    return "".join(f"data: {chunk}\n\n" for chunk in chunks) + END.replace(" days.", "") + USAGE


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


TOOL = {"type": "function", "function": {"name": "look_up", "parameters": {"type": "object"}}}
PICTURE = [{"type": "text", "text": "What is this?"}, {"type": "image_url", "image_url": {"url": "https://a.test/b"}}]
REFUSED = {
    "tools": ({"tools": [TOOL]}, "tools", "tools are not served"),
    "n": ({"n": 2}, "n", "one answer"),
    "logprobs": ({"logprobs": True}, "logprobs", "not served"),
    "logit_bias": ({"logit_bias": {"7": 1}}, "logit_bias", "not served"),
    "a penalty": ({"frequency_penalty": 0.5}, "frequency_penalty", "not served"),
    "reasoning_effort": ({"reasoning_effort": "high"}, "reasoning_effort", "stored prompt"),
    "json_object": ({"response_format": {"type": "json_object"}}, "response_format", "json_schema"),
    "a picture": ({"messages": [{"role": "user", "content": PICTURE}]}, "messages[0].content", "POST /ingest"),
    "a tool's turn": ({"messages": [{"role": "tool", "content": "x"}]}, "messages[0].role", "assistant"),
    "an answer last": ({"messages": [{"role": "assistant", "content": "x"}]}, "messages", "last message"),
    "no message": ({"messages": []}, "messages", "at least 1"),
    "a long persona": (
        {"messages": [{"role": "system", "content": "x" * 5001}, {"role": "user", "content": "x"}]},
        "messages",
        "system and developer messages together",
    ),
    "temperature": ({"temperature": 3}, "temperature", "less than or equal to 2"),
    "unknown": ({"extra_body": {"colour": "red"}}, "colour", "not permitted"),
    "rerank": ({"extra_body": {"rerank": True}}, "rerank", "KYUJANG_RERANKER"),
    "a schema without an engine": (
        {"response_format": {"type": "json_schema", "json_schema": {"name": "a", "schema": {}}}},
        "response_format",
        "Only an engine",
    ),
}


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("case", REFUSED)
async def test_what_is_not_served_is_refused_by_name(client, case, stream):
    fields, param, words = REFUSED[case]
    with pytest.raises(openai.BadRequestError) as caught:
        await client.chat.completions.create(**asking("x") | fields, stream=stream)
    error = caught.value
    assert (error.status_code, error.param, error.type) == (400, param, "invalid_request_error")
    assert words in error.message
    assert error.code == "invalid_input"
    assert error.request_id.startswith("req_")


@pytest.mark.parametrize("model", ["no-such", "clerk@9", "gpt-4o", "../x", "모델", ""])
async def test_an_unknown_model_is_not_found(client, model):
    for asked in (
        client.chat.completions.create(**asking("x") | {"model": model}),
        client.chat.completions.create(**asking("x") | {"model": model}, stream=True),
        client.models.retrieve(model or " "),
    ):
        with pytest.raises(openai.NotFoundError) as caught:
            await asked
        assert caught.value.type == "invalid_request_error"
        assert caught.value.code in ("model_not_found", "not_found")


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


async def test_a_wrong_key_and_one_without_the_scope(url, new_tenant):
    ingests = await new_tenant(scopes=("ingest",))
    for key, kind, code in (
        ("sk-wrong", openai.AuthenticationError, "invalid_api_key"),
        (key_of(ingests), openai.PermissionDeniedError, "forbidden"),
    ):
        async with openai.AsyncOpenAI(base_url=url, api_key=key) as client:
            for asked in (client.models.list(), client.chat.completions.create(**asking("x"))):
                with pytest.raises(kind) as caught:
                    await asked
                assert caught.value.code == code


@pytest.mark.parametrize(
    ("method", "path", "content", "status", "code"),
    [
        ("GET", "/v1/no/such", b"", 404, "not_found"),
        ("GET", "/v1/", b"", 404, "not_found"),
        ("GET", "/v1/chat/completions", b"", 405, "method_not_allowed"),
        ("POST", "/v1/chat/completions", b"{", 400, "invalid_json"),
        ("POST", "/v1/chat/completions", b"[]", 400, "invalid_input"),
        ("POST", "/v1/chat/completions", b" " * (17 << 20), 413, "too_large"),
        ("POST", "/v1/chat/completions", b'{"model": "\\ud800", "messages": [{}], "\\ud801": 1}', 400, "invalid_input"),
    ],
)
async def test_every_error_has_openai_s_shape(shelf, method, path, content, status, code):
    headers = {"content-type": "application/json", "x-request-id": "mine-1"}
    answer = await shelf.request(method, path, content=content, headers=headers)
    assert (answer.status_code, answer.headers["content-type"]) == (status, "application/json")
    assert answer.json().keys() == {"error"}
    assert answer.json()["error"].keys() == {"message", "type", "param", "code"}
    assert answer.json()["error"]["code"] == code
    assert answer.headers["x-request-id"] == "mine-1"


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
    assert chunks[-2].kyujang["unsupported"] == [{"start": 0, "end": len("Thirty days.")}]
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

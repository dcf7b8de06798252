"""Faults of the engine that the real one cannot be made to show. The real one is in tests/e2e."""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import AsyncIterator, Callable
from dataclasses import replace

import pytest

from app.errors import EngineNotBegun, EngineUnavailable, InvalidInput
from app.generation.chat import ChatRequest
from app.generation.completion import Generation
from app.generation.replica import EngineReplica, Served, address
from app.generation.timeouts import Timeouts
from tests.app.fake_engine import CHUNK, END, PATIENT, USAGE, FakeEngine

MESSAGES = [{"role": "user", "content": "How long?"}]


@pytest.fixture
async def replica_with() -> AsyncIterator[Callable]:
    """An engine that answers a completion with the bytes it is given."""
    fakes: list[FakeEngine] = []
    replicas: list[EngineReplica] = []

    async def start(
        status: int,
        *pieces: str | asyncio.Event,
        cut: bool = False,
        counting: bool = False,
        timeouts: Timeouts = PATIENT,
    ) -> EngineReplica:
        fakes.append(await FakeEngine(status, pieces, cut, counting).start())
        replicas.append(fakes[-1].replica(timeouts))
        return replicas[-1]

    start.fakes = fakes
    yield start
    for replica in replicas:
        await replica.close()
    for fake in fakes:
        await fake.kill()


async def generate(replica: EngineReplica, schema: dict | None = None) -> list[str | Generation]:
    return [part async for part in replica.generate(ChatRequest(MESSAGES, {"max_tokens": 9}, 1, schema))]


async def test_a_stream_becomes_an_answer(replica_with):
    replica = await replica_with(200, CHUNK + END + USAGE)
    *parts, generation = await generate(replica)
    assert parts == ["Thirty", " days."]
    assert generation.text == "Thirty days."
    assert (generation.prompt_tokens, generation.completion_tokens) == (9, 2)
    assert generation.finish_reason == "stop"
    assert generation.first_token_s > 0


ERROR = 'data: {"error": {"message": "%s", "type": "X", "param": null, "code": %d}}\n\ndata: [DONE]\n\n'
DONE = "data: [DONE]\n\n"


@pytest.mark.parametrize(
    ("status", "body", "cut", "words"),
    [
        (500, '{"error": {"message": "boom"}}', False, "answered 500: boom"),
        (503, "overloaded", False, "answered 503"),
        (401, "{}", False, "answered 401"),
        (404, '{"error": {"message": "no such model"}}', False, "answered 404: no such model"),
        (200, "", False, "stopped in the middle"),
        (200, "", True, "stopped in the middle"),
        (200, DONE, False, "stopped in the middle"),
        (200, CHUNK, False, "stopped in the middle"),
        (200, CHUNK, True, "stopped in the middle"),
        (200, CHUNK + DONE, False, "stopped in the middle"),
        (200, CHUNK + ERROR % ("EngineCore died", 500), False, "answered 500: EngineCore died"),
        (200, CHUNK + END.replace("stop", "abort") + USAGE, False, "stopped in the middle"),
        (200, "data: {no json\n\n", False, "other than an answer"),
        (200, CHUNK + "data: \x00\n\n", False, "other than an answer"),
        (200, "data: 5\n\n", False, "other than an answer"),
        (200, 'data: {"choices": [{"delta": null}]}\n\n', False, "other than an answer"),
        (200, 'data: {"choices": [{"delta": {"content": 5}}]}\n\n', False, "other than an answer"),
        (200, "<html>It works!</html>", False, "stopped in the middle"),
    ],
)
async def test_a_fault_is_unavailable_with_the_reason(replica_with, status, body, cut, words):
    replica = await replica_with(status, body, cut=cut)
    with pytest.raises(EngineUnavailable, match=words) as caught:
        await generate(replica)
    assert caught.value.headers["Retry-After"]


@pytest.mark.parametrize(
    ("status", "body", "retried"),
    [
        (500, "", True),
        (200, "", True),
        (200, ERROR % ("x", 500), True),
        (200, CHUNK, False),
        (200, CHUNK + "data: ?\n", False),
    ],
)
async def test_whether_it_had_begun_is_told_apart(replica_with, status, body, retried):
    replica = await replica_with(status, body)
    with pytest.raises(EngineUnavailable) as caught:
        await generate(replica)
    assert isinstance(caught.value, EngineNotBegun) == retried


async def test_each_wait_ends_and_names_its_setting(replica_with):
    never = asyncio.Event()
    for pieces, changed, setting in [
        ([never], {"first_token_s": 0.3}, "KYUJANG_LLM_FIRST_TOKEN_TIMEOUT_S"),
        ([": still there\n\n", never], {"first_token_s": 0.3}, "KYUJANG_LLM_FIRST_TOKEN_TIMEOUT_S"),
        ([CHUNK, never], {"token_s": 0.3}, "KYUJANG_LLM_TOKEN_TIMEOUT_S"),
        ([CHUNK, CHUNK, never], {"answer_s": 0.3}, "KYUJANG_LLM_TIMEOUT_S"),
    ]:
        replica = await replica_with(200, *pieces, timeouts=replace(PATIENT, **changed))
        with pytest.raises(EngineUnavailable, match=setting) as caught:
            await generate(replica)
        assert not isinstance(caught.value, EngineNotBegun)


async def test_a_stuck_engine_ends_the_short_questions_too(replica_with):
    replica = await replica_with(200, timeouts=replace(PATIENT, first_token_s=0.3))
    replica_with.fakes[-1].gate = asyncio.Event()
    with pytest.raises(EngineUnavailable, match="FIRST_TOKEN_TIMEOUT_S"):
        await replica.served()


async def test_a_connection_nobody_takes(replica_with):
    with socket.socket() as full:
        # Linux takes one connection more than the backlog says, and answers no other.
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        first = socket.create_connection(full.getsockname())
        url = f"http://127.0.0.1:{full.getsockname()[1]}"
        replica = EngineReplica(url, key=None, model=None, timeouts=replace(PATIENT, connect_s=0.2))
        with pytest.raises(EngineNotBegun, match="KYUJANG_LLM_CONNECT_TIMEOUT_S"):
            await replica.served()
        await replica.close()
        first.close()


async def test_line_separators_in_the_text_do_not_end_an_event(replica_with):
    text = "열\u2028람\u0085실\u2029"
    chunk = CHUNK.replace("Thirty", text)
    assert text == json.loads(chunk.removeprefix("data: "))["choices"][0]["delta"]["content"]
    replica = await replica_with(200, chunk + END + USAGE)
    assert (await generate(replica))[0] == text


async def test_after_a_fault_the_engine_is_asked_again_what_it_serves(replica_with):
    replica = await replica_with(200, CHUNK + END + USAGE)
    fake = replica_with.fakes[-1]
    assert (await replica.served()).context_tokens == 4096
    fake.model, fake.context_tokens, fake.status = "qwen", 8192, 404
    with pytest.raises(EngineUnavailable):
        await generate(replica)
    assert await replica.served() == Served("qwen", 8192)


async def test_the_engine_tells_its_special_tokens_once(replica_with, caplog):
    replica = await replica_with(200)
    assert (await replica.served()).special_tokens == frozenset()
    assert "--enable-tokenizer-info-endpoint" in caplog.text
    replica = await replica_with(200)
    replica_with.fakes[-1].tokenizer_info = json.dumps({"added_tokens_decoder": {"7": "<turn_of>"}})
    assert (await replica.served()).special_tokens == {"<turn_of>"}
    replica_with.fakes[-1].tokenizer_info = "?"
    assert (await replica.probe()).special_tokens == {"<turn_of>"}


@pytest.mark.parametrize("info", ["?", "[1]", "7"])
async def test_an_odd_answer_about_the_tokenizer_is_a_fault(replica_with, info):
    replica = await replica_with(200)
    replica_with.fakes[-1].tokenizer_info = info
    with pytest.raises(EngineUnavailable, match="other than an answer"):
        await replica.served()


@pytest.mark.parametrize("listed", ["[]", '{"data": 5}', '{"data": [{}]}', '{"data": []}', "?"])
async def test_a_list_of_models_that_is_none(replica_with, listed):
    replica = await replica_with(200)
    replica_with.fakes[-1].listed = listed
    with pytest.raises(EngineUnavailable, match=r"other than an answer|serves nothing"):
        await replica.served()


async def test_a_canary_that_fails_is_not_ready(replica_with):
    replica = await replica_with(200)
    for status in (500, 400, 404):
        replica_with.fakes[-1].canary = status
        with pytest.raises(EngineUnavailable):
            await replica.probe()
    replica_with.fakes[-1].canary = 200
    assert await replica.probe() == Served("smollm2", 4096)


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("http://user:secret@engine:8000/v1", "engine:8000"),
        ("https://replica.example", "replica.example"),
        ("http://[::1]:8000/", "[::1]:8000"),
        ("unix:///home/someone/replica.sock", "replica.sock"),
    ],
)
def test_an_address_shows_no_secret_and_no_folder(url, shown):
    assert address(url) == shown


@pytest.mark.parametrize(
    ("status", "body"), [(400, '{"error": {"message": "prompt too long"}}'), (200, ERROR % ("prompt too long", 400))]
)
async def test_what_the_engine_refuses_is_the_callers_to_mend(replica_with, status, body):
    replica = await replica_with(status, body)
    with pytest.raises(InvalidInput, match="prompt too long"):
        await generate(replica)


async def test_reasoning_stays_apart_from_the_text(replica_with):
    thought = CHUNK.replace("content", "reasoning_content").replace("Thirty", "Let me see.")
    replica = await replica_with(200, thought + thought.replace("reasoning_content", "reasoning") + CHUNK + END + USAGE)
    *parts, generation = await generate(replica)
    assert parts == ["Thirty", " days."]
    assert generation.text == "Thirty days."
    assert generation.reasoning == "Let me see.Let me see."


async def test_a_schema_is_sent_and_one_that_is_refused_is_pointed_at(replica_with):
    replica = await replica_with(400, '{"error": {"message": "unsupported schema"}}')
    schema = {"type": "object"}
    with pytest.raises(InvalidInput, match="unsupported schema") as caught:
        await generate(replica, schema)
    assert caught.value.errors[0]["pointer"] == "/response_format"
    sent = json.loads(replica_with.fakes[-1].chats[-1])["response_format"]
    assert sent == {"type": "json_schema", "json_schema": {"name": "answer", "schema": schema, "strict": True}}


async def test_nobody_there():
    replica = EngineReplica("http://127.0.0.1:9", key=None, model=None, timeouts=PATIENT)
    with pytest.raises(EngineUnavailable, match="cannot be reached"):
        await replica.probe()
    await replica.close()


async def test_another_model_than_asked_for_is_named(replica_with):
    await replica_with(200)
    replica = replica_with.fakes[-1].replica(model="qwen")
    with pytest.raises(EngineUnavailable, match="serves smollm2"):
        await replica.served()
    await replica.close()


async def test_the_cache_salt_is_the_tenants_and_stands_in_no_prompt(replica_with):
    salts = {}
    for tenant in (1, 2):
        for _ in range(2):
            replica = await replica_with(200, CHUNK + END + USAGE)
            async for _ in replica.generate(ChatRequest(MESSAGES, {"max_tokens": 9}, tenant)):
                pass
            salts.setdefault(tenant, set()).add(json.loads(replica_with.fakes[-1].chats[-1])["cache_salt"])
    # Two processes with the same key share what the engine has cached; two tenants never do.
    assert [len(each) for each in salts.values()] == [1, 1]
    assert salts[1] != salts[2]

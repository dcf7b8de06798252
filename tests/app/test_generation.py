"""Faults of the engine that the real one cannot be made to show. The real one is in tests/e2e."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable

import pytest

from app.errors import EngineUnavailable, InvalidInput
from app.generation import Engine, Generation

CHUNK = 'data: {"choices": [{"delta": {"content": "Thirty"}, "finish_reason": null}]}\n\n'
END = 'data: {"choices": [{"delta": {"content": " days."}, "finish_reason": "stop"}]}\n\n'
USAGE = 'data: {"choices": [], "usage": {"prompt_tokens": 9, "completion_tokens": 2}}\n\ndata: [DONE]\n\n'
MODELS = json.dumps({"data": [{"id": "smollm2", "max_model_len": 4096}]})
COUNT = json.dumps({"count": 7})
MESSAGES = [{"role": "user", "content": "How long?"}]

Fault = Callable[[asyncio.StreamWriter], None]


@pytest.fixture
async def engine_with() -> AsyncIterator[Callable]:
    """A server of a few lines that answers a completion with the bytes it is given."""
    servers, engines, received = [], [], []

    async def start(status: int, body: str, *, delay_s: float = 0, cut: bool = False, counting: bool = False) -> Engine:
        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            head = (await reader.readuntil(b"\r\n\r\n")).decode()
            length = next(
                (int(line.split(":")[1]) for line in head.lower().split("\r\n") if "content-length" in line), 0
            )
            received.append(await reader.readexactly(length))
            known = MODELS if "/v1/models" in head else COUNT if counting and "/tokenize" in head else None
            content = (known or body).encode()
            await asyncio.sleep(0 if known else delay_s)
            promised = len(content) + (10 if cut and not known else 0)
            code = 200 if known else status
            writer.write(
                f"HTTP/1.1 {code} X\r\ncontent-length: {promised}\r\nconnection: close\r\n\r\n".encode() + content
            )
            await writer.drain()
            writer.close()

        server = await asyncio.start_server(serve, "127.0.0.1", 0)
        servers.append(server)
        url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        engines.append(Engine(url, key="k", model=None, timeout_s=0.5))
        return engines[-1]

    start.received = received
    yield start
    for engine in engines:
        await engine.close()
    for server in servers:
        server.close()


async def generate(engine: Engine, schema: dict | None = None) -> list[str | Generation]:
    return [part async for part in engine.generate(MESSAGES, {"max_tokens": 9}, tenant=1, schema=schema)]


async def test_a_stream_becomes_an_answer(engine_with):
    engine = await engine_with(200, CHUNK + END + USAGE)
    *parts, generation = await generate(engine)
    assert parts == ["Thirty", " days."]
    assert generation.text == "Thirty days."
    assert (generation.prompt_tokens, generation.completion_tokens) == (9, 2)
    assert generation.finish_reason == "stop"
    assert generation.first_token_s > 0


@pytest.mark.parametrize(
    ("status", "body", "options", "words"),
    [
        (500, '{"error": {"message": "boom"}}', {}, "answered 500: boom"),
        (503, "overloaded", {}, "answered 503"),
        (401, "{}", {}, "answered 401"),
        (200, CHUNK, {}, "broke off"),
        (200, CHUNK, {"cut": True}, "broke off"),
        (200, "data: {no json\n\n", {}, "no answer"),
        (200, CHUNK + END + USAGE, {"delay_s": 2}, "in time"),
    ],
)
async def test_a_fault_is_unavailable_with_the_reason(engine_with, status, body, options, words):
    engine = await engine_with(status, body, **options)
    with pytest.raises(EngineUnavailable, match=words) as caught:
        await generate(engine)
    assert caught.value.headers["Retry-After"]


async def test_what_the_engine_refuses_is_the_callers_to_mend(engine_with):
    engine = await engine_with(400, '{"error": {"message": "prompt too long"}}')
    with pytest.raises(InvalidInput, match="prompt too long"):
        await generate(engine)


async def test_reasoning_stays_apart_from_the_text(engine_with):
    thought = CHUNK.replace("content", "reasoning_content").replace("Thirty", "Let me see.")
    engine = await engine_with(200, thought + thought.replace("reasoning_content", "reasoning") + CHUNK + END + USAGE)
    *parts, generation = await generate(engine)
    assert parts == ["Thirty", " days."]
    assert generation.text == "Thirty days."
    assert generation.reasoning == "Let me see.Let me see."


async def test_a_schema_is_sent_and_one_that_is_refused_is_pointed_at(engine_with):
    engine = await engine_with(400, '{"error": {"message": "unsupported schema"}}')
    schema = {"type": "object"}
    with pytest.raises(InvalidInput, match="unsupported schema") as caught:
        await generate(engine, schema)
    assert caught.value.errors[0]["pointer"] == "/response_format"
    sent = json.loads(engine_with.received[-1])["response_format"]
    assert sent == {"type": "json_schema", "json_schema": {"name": "answer", "schema": schema, "strict": True}}


async def test_nobody_there():
    engine = Engine("http://127.0.0.1:9", key=None, model=None, timeout_s=1)
    with pytest.raises(EngineUnavailable, match="cannot be reached"):
        await engine.ready()
    await engine.close()


async def test_another_model_than_asked_for_is_named(engine_with):
    started = await engine_with(200, "{}")
    engine = Engine(str(started._http.base_url), key=None, model="qwen", timeout_s=1)
    with pytest.raises(EngineUnavailable, match="serves smollm2"):
        await engine.served()
    await engine.close()

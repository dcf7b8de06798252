"""OpenAI's own client over TCP, for the tests of the OpenAI-compatible routes; the real engine is in tests/e2e."""

from __future__ import annotations

import asyncio
import dataclasses
import json
import socket
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

import httpx
import openai
import pytest
import uvicorn

from app.main import create_app
from tests.app.fake_engine import END, USAGE, FakeEngine, engine_of, fake_engines
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

"""Several replicas behind one engine: which is asked, and what a caller notices of it."""

from __future__ import annotations

import asyncio
from contextlib import aclosing, asynccontextmanager

import pytest

from app.errors import EngineUnavailable, InvalidInput, NotConfigured
from app.generation.chat import ChatRequest
from app.generation.completion import Generation
from app.generation.engine import Engine, open_engine
from app.metrics import Metrics
from app.settings import Settings
from tests.app.fake_engine import CHUNK, END, USAGE, FakeEngine, engine_of, fake_engines

MESSAGES = [{"role": "user", "content": "How long?"}]


@asynccontextmanager
async def several(*fakes: FakeEngine, watched: bool = False, metrics: Metrics | None = None):
    async with fake_engines(*fakes):
        engine = engine_of(*(fake.replica() for fake in fakes), metrics=metrics)
        watch = asyncio.create_task(engine.watch()) if watched else None
        try:
            yield engine
        finally:
            if watch is not None:
                watch.cancel()
            await engine.close()


async def generate(engine: Engine, tenant: int = 1) -> list[str | Generation]:
    return [part async for part in engine.generate(ChatRequest(MESSAGES, {"max_tokens": 9}, tenant))]


async def text(engine: Engine, tenant: int = 1) -> str:
    generation = (await generate(engine, tenant))[-1]
    assert isinstance(generation, Generation)
    return generation.text


async def until(condition) -> None:
    async with asyncio.timeout(20):
        while not condition():
            await asyncio.sleep(0.005)


async def all_up(engine: Engine) -> None:
    """ready() alone ends with the first."""
    for _ in engine.replicas:
        await engine.ready()
    await until(lambda: set(engine.replicas.values()) == {"ok"})


async def test_the_least_loaded_is_asked():
    go = asyncio.Event()
    fakes = [FakeEngine(pieces=(go, CHUNK, END, USAGE)) for _ in range(3)]
    async with several(*fakes) as engine:
        await all_up(engine)
        asked = [asyncio.create_task(text(engine, number)) for number in range(6)]
        await until(lambda: sum(fake.running for fake in fakes) == 6)
        assert [fake.running for fake in fakes] == [2, 2, 2]
        go.set()
        assert await asyncio.gather(*asked) == ["Thirty days."] * 6
        for fake in fakes:
            fake.pieces = (asyncio.Event(),)
        busy = asyncio.create_task(text(engine))
        await until(lambda: sum(fake.running for fake in fakes) == 1)
        (taken,) = [fake for fake in fakes if fake.running]
        for fake in fakes:
            fake.pieces = (CHUNK, END, USAGE)
        assert [await text(engine) for _ in range(30)] == ["Thirty days."] * 30
        assert len(taken.chats) == 3
        # Among equals it is left to chance.
        assert [len(fake.chats) > 2 for fake in fakes] == [True] * 3
        busy.cancel()


@pytest.mark.parametrize("fault", ["killed", "500", "cut before a token"])
async def test_a_request_that_has_not_begun_is_tried_once_elsewhere(fault):
    one, two = FakeEngine(), FakeEngine()
    async with several(one, two) as engine:
        await all_up(engine)
        if fault == "killed":
            await one.kill()
        elif fault == "500":
            one.status, one.pieces = 500, ["{}"]
        else:
            one.pieces, one.cut = [""], True
        assert [await text(engine) for _ in range(8)] == ["Thirty days."] * 8
        # Once it has failed, it is left out.
        assert len(one.chats) <= 1
        assert await engine.count_tokens(["a"]) == [7]
        assert (await engine.served()).model == "smollm2"


async def test_nothing_is_tried_twice_once_a_token_is_out():
    one, two = FakeEngine(pieces=(CHUNK,)), FakeEngine(pieces=(CHUNK,))
    async with several(one, two) as engine:
        await all_up(engine)
        with pytest.raises(EngineUnavailable, match="stopped in the middle"):
            await generate(engine)
        assert len(one.chats) + len(two.chats) == 1


async def test_a_request_that_breaks_engines_is_tried_twice_at_most_and_takes_none_from_others():
    fakes = [FakeEngine(status=500, pieces=["{}"]) for _ in range(3)]
    async with several(*fakes) as engine:
        await all_up(engine)
        with pytest.raises(EngineUnavailable, match="500"):
            await generate(engine)
        assert sum(len(fake.chats) for fake in fakes) == 2
        for fake in fakes:
            fake.status, fake.pieces = 200, (CHUNK, END, USAGE)
        assert await text(engine) == "Thirty days."


async def test_what_the_engine_refuses_is_no_fault_of_the_replica():
    one, two = (FakeEngine(status=400, pieces=["{}"]) for _ in range(2))
    async with several(one, two) as engine:
        await all_up(engine)
        with pytest.raises(InvalidInput):
            await generate(engine)
        assert len(one.chats) + len(two.chats) == 1
        assert set(engine.replicas.values()) == {"ok"}


async def test_places_and_load_are_given_back_whatever_happens():
    never = asyncio.Event()
    fake = FakeEngine()
    async with several(fake) as engine:
        for status, pieces, cut in [(500, ["{}"], False), (200, [CHUNK], True), (400, ["{}"], False)]:
            fake.status, fake.pieces, fake.cut = status, pieces, cut
            with pytest.raises((EngineUnavailable, InvalidInput)):
                await generate(engine)
        fake.status, fake.cut, fake.pieces = 200, False, [CHUNK, never]
        async with aclosing(engine.generate(ChatRequest(MESSAGES, {}, 1))) as parts:
            await anext(parts)
            assert engine._admission.running == engine._replicas[0].running == 1
        hung_up = asyncio.create_task(generate(engine))
        await until(lambda: fake.running == 2)
        hung_up.cancel()
        await asyncio.wait({hung_up})
        assert engine._admission.running == engine._replicas[0].running == 0


async def test_the_next_one_begins_when_one_hangs_up():
    fake = FakeEngine(pieces=[CHUNK, asyncio.Event()])
    async with fake_engines(fake):
        engine = engine_of(fake.replica(), concurrency=1)
        first = asyncio.create_task(generate(engine))
        await until(lambda: fake.running == 1)
        fake.pieces = (CHUNK, END, USAGE)
        second = asyncio.create_task(text(engine, 2))
        await until(lambda: engine._admission.waiting == 1)
        first.cancel()
        assert await second == "Thirty days."
        await engine.close()


def test_addresses_are_checked_and_not_shown():
    assert Settings(llm_url="http://a:8000, unix:///run/engine.sock,").llm_urls == [
        "http://a:8000",
        "unix:///run/engine.sock",
    ]
    for wrong in ("a:8000", "http://u:secret@", "http://u:secret@a:99999", "unix://engine.sock", "http://a,http://a"):
        with pytest.raises(NotConfigured, match=r"KYUJANG_LLM_URL: number \d") as caught:
            Settings(llm_url=wrong)
        assert "secret" not in caught.value.detail


async def test_the_settings_decide():
    assert open_engine(Settings(engine="none", llm_url="http://a:8000"), Metrics()) is None
    assert open_engine(Settings(llm_url=None), Metrics()) is None
    engine = open_engine(Settings(llm_url="http://u:secret@a:1,http://b:2"), Metrics())
    assert engine is not None
    assert list(engine.replicas) == ["engine 1 (a:1)", "engine 2 (b:2)"]
    await engine.close()

"""Which replicas are left out, why, and when they come back."""

from __future__ import annotations

import asyncio
from functools import partial

import pytest

from app.errors import EngineUnavailable
from app.generation import engine as engine_module
from app.generation import health
from app.generation.engine_load import load_of
from app.metrics import Metrics
from tests.app.fake_engine import CHUNK, FakeEngine
from tests.app.generation.test_engine import all_up, generate, several, text, until


@pytest.fixture
def at_short_notice(monkeypatch):
    monkeypatch.setattr(engine_module, "CHECK_EVERY_S", 0.02)
    monkeypatch.setattr(engine_module, "TOKEN_EVERY_S", 0.02)
    monkeypatch.setattr(health, "CHECK_TIMEOUT_S", 2)


async def test_a_replica_comes_back_only_after_a_real_token(at_short_notice):
    one, two = FakeEngine(), FakeEngine()
    async with several(one, two, watched=True) as engine:
        await until(lambda: set(engine.replicas.values()) == {"ok"})
        await one.kill()
        await until(lambda: "cannot be reached" in next(iter(engine.replicas.values())))
        # It listens and lists its model again, and completes nothing.
        one.canary = 500
        await one.start()
        await until(lambda: "answered 500" in next(iter(engine.replicas.values())))
        assert [await text(engine) for _ in range(6)] == ["Thirty days."] * 6
        assert one.chats == []
        one.canary = 200
        await until(lambda: next(iter(engine.replicas.values())) == "ok")
        two.status = 500
        assert [await text(engine) for _ in range(3)] == ["Thirty days."] * 3
        assert one.chats


async def test_all_down_says_so_at_once_for_each(at_short_notice):
    metrics = Metrics()
    one, two = FakeEngine(), FakeEngine()
    async with several(one, two, watched=True, metrics=metrics) as engine:
        await until(lambda: set(engine.replicas.values()) == {"ok"})
        assert metrics.render().count(b"kyujang_engine_replica_up{") == 2
        assert metrics.render().count(b"} 1.0") == 2
        one.gate = asyncio.Event()
        await two.kill()
        await until(lambda: "ok" not in engine.replicas.values())
        with pytest.raises(EngineUnavailable, match=r"1: no answer within .*2: The engine cannot be reached"):
            await generate(engine)
        with pytest.raises(EngineUnavailable, match="1: no answer within"):
            await engine.ready()
        assert metrics.render().count(b"} 1.0") == 0


async def test_a_stuck_replica_shows_and_the_other_answers(at_short_notice):
    one, two = FakeEngine(gate=asyncio.Event()), FakeEngine()
    async with several(one, two, watched=True) as engine:
        await until(lambda: [state[:9] for state in engine.replicas.values()] == ["no answer", "ok"])
        await engine.ready()
        assert await text(engine) == "Thirty days."


async def test_one_that_goes_on_answering_is_busy_and_not_stuck(monkeypatch):
    monkeypatch.setattr(health, "CHECK_TIMEOUT_S", 0.3)
    fake = FakeEngine()
    async with several(fake) as engine:
        more = [asyncio.Event() for _ in range(200)]
        fake.pieces = [piece for event in more for piece in (event, CHUNK)]
        answering = asyncio.create_task(generate(engine))
        await until(lambda: fake.running == 1)
        fake.gate = asyncio.Event()
        checking = asyncio.create_task(engine.ready())
        for event in more:
            event.set()
            await asyncio.sleep(0.005)
            if checking.done():
                break
        await checking
        answering.cancel()


def metrics_of(running: int, done: int) -> str:
    return (
        "# HELP vllm:num_requests_running Number of requests in model execution batches.\n"
        f'vllm:num_requests_running{{engine="0",model_name="smollm2"}} {running}.0\n'
        f'vllm:iteration_tokens_total_count{{engine="0",model_name="smollm2"}} {done}.0\n'
    )


async def test_an_idle_one_completes_few_tokens_and_is_missed_at_once(at_short_notice, monkeypatch):
    monkeypatch.setattr(engine_module, "TOKEN_EVERY_S", 3600)
    fake = FakeEngine(metrics=metrics_of(0, 5))
    async with several(fake, watched=True) as engine:
        watched = engine._replicas[0]
        reported = partial(watched.metrics.registry.get_sample_value, "kyujang_engine_reported")
        for running in (1, 2):
            fake.metrics = metrics_of(running, 5)
            await until(
                lambda seen=running: reported({"replica": watched.name, "name": "num_requests_running"}) == seen
            )
        assert (watched.state, fake.canaries) == ("up", 1)
        await fake.kill()
        await until(lambda: watched.state == "down")


async def test_what_each_vllm_says_of_itself_is_shown_until_it_is_down():
    one, two = FakeEngine(metrics=metrics_of(3, 5)), FakeEngine()
    async with several(one, two) as engine:
        await all_up(engine)
        first, second = engine._replicas
        reported = partial(first.metrics.registry.get_sample_value, "kyujang_engine_reported")
        for each in (first, second):
            await each.look()
        assert reported({"replica": first.name, "name": "num_requests_running"}) == 3
        assert reported({"replica": second.name, "name": "num_requests_running"}) is None
        await one.kill()
        assert await engine._probe(first) is False
        await first.look()
        assert reported({"replica": first.name, "name": "num_requests_running"}) is None


def test_several_processes_of_a_vllm_are_one_engine():
    said = "".join(
        f'vllm:{name}{{engine="{number}"}} {value}\n'
        for number, values in enumerate(((0.2, 7, 9), (0.5, 1, 9)))
        for name, value in zip(("kv_cache_usage_perc", "prompt_tokens_total", "unknown"), values, strict=True)
    )
    assert load_of(said).shown == {"kv_cache_usage_perc": 0.5, "prompt_tokens_total": 8}


async def test_one_that_reads_a_long_prompt_is_busy_and_asked_after_the_others(monkeypatch):
    one, two = FakeEngine(metrics=metrics_of(0, 5)), FakeEngine()
    async with several(one, two) as engine:
        await all_up(engine)
        monkeypatch.setattr(health, "CHECK_TIMEOUT_S", 0.2)
        one.reading = asyncio.Event()
        two.gate = asyncio.Event()
        first = engine._replicas[0]
        # Its counters stand still during a step; what this process asked of it is known without them.
        with first.busy():
            assert await engine._probe(first) is True
        assert (first.state, first.reason) == ("unverified", "busy reading a prompt")
        # The other one hangs, so that a question waits for the one that reads, and gets its answer.
        assert await engine._probe(engine._replicas[1]) is False
        waiting = asyncio.create_task(text(engine))
        await until(lambda: one.running == 1)
        one.reading.set()
        assert await waiting == "Thirty days."
        assert await engine._probe(first) is True
        assert first.state == "up"


async def test_one_that_reads_for_another_process_is_busy_too(monkeypatch):
    fake = FakeEngine(metrics=metrics_of(1, 5))
    async with several(fake) as engine:
        await engine.ready()
        monkeypatch.setattr(health, "CHECK_TIMEOUT_S", 0.2)
        fake.reading = asyncio.Event()
        await engine.ready()
        assert [each.state for each in engine._replicas] == ["unverified"]
        fake.reading.set()


@pytest.mark.parametrize("metrics", [None, "", metrics_of(0, 5)])
async def test_one_that_hangs_with_no_request_is_down(monkeypatch, metrics):
    fake = FakeEngine(metrics=metrics)
    async with several(fake) as engine:
        await engine.ready()
        monkeypatch.setattr(health, "CHECK_TIMEOUT_S", 0.2)
        fake.reading = asyncio.Event()
        with pytest.raises(EngineUnavailable, match="no answer within"):
            await engine.ready()


async def test_one_that_hangs_with_a_request_is_down_once_a_first_token_would_be_late(monkeypatch):
    fake = FakeEngine(metrics=metrics_of(1, 5))
    async with several(fake) as engine:
        await engine.ready()
        monkeypatch.setattr(health, "CHECK_TIMEOUT_S", 0.2)
        fake.reading = asyncio.Event()
        await engine.ready()
        engine._replicas[0].replica.patience_s = 0
        with pytest.raises(EngineUnavailable, match="no answer within"):
            await engine.ready()
        # It has gone on meanwhile: it was slow.
        engine._replicas[0].replica.patience_s = 60
        engine._replicas[0].worked_at = float("-inf")
        fake.metrics = metrics_of(1, 6)
        await engine.ready()
        assert engine._replicas[0].state == "unverified"


@pytest.mark.parametrize(("model", "context_tokens"), [("qwen", 4096), ("smollm2", 8192)])
async def test_a_replica_that_serves_something_else_is_not_used(model, context_tokens):
    one, two = FakeEngine(), FakeEngine()
    async with several(one, two) as engine:
        await all_up(engine)
        two.model, two.context_tokens = model, context_tokens
        for _ in range(4):
            await engine.ready()
            await asyncio.gather(*(each.probing for each in engine._replicas))
        states = list(engine.replicas.values())
        assert states[0] == "ok"
        assert states[1].startswith(f"not used: it serves {model} with {context_tokens} tokens, engine 1 ")
        assert [await text(engine) for _ in range(4)] == ["Thirty days."] * 4
        assert two.chats == []
        # Once it is the only one, it is what is served.
        await one.kill()
        with pytest.raises(EngineUnavailable):
            await text(engine)
        for _ in range(2):
            with_two = [engine._probe(each) for each in engine._replicas]
            await asyncio.gather(*with_two)
        assert (await engine.served()).model == model

"""Adapters in replicas that restart, are full, or are several."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager

import pytest

from app.adapters.proof import Proof, difference, prove
from app.adapters.reconciler import AdapterReconciler
from app.errors import EngineUnavailable
from app.generation.adapter_cache import Adapter
from app.generation.chat import ChatRequest
from app.generation.completion import Generation
from app.metrics import Metrics
from app.settings import Settings
from tests.app.fake_engine import FakeEngine, engine_of, fake_engines

ACTIVE, DELETED = "t1--a--v1", "t1--old--v1"
MESSAGES = [{"role": "user", "content": "How long?"}]


def adapter(name: str) -> Adapter:
    return Adapter(name, f"/adapters/{name}")


async def ask(engine, which: Adapter | None = None) -> str:
    parts = [part async for part in engine.generate(ChatRequest(MESSAGES, {"max_tokens": 9}, 1, adapter=which))]
    assert isinstance(parts[-1], Generation)
    return parts[-1].text


@asynccontextmanager
async def one(fake: FakeEngine, **options):
    async with fake_engines(fake):
        replica = fake.replica(**options)
        yield replica
        await replica.close()


async def test_an_adapter_is_loaded_once_when_it_is_first_asked_for():
    fake = FakeEngine()
    async with one(fake) as replica:
        await asyncio.gather(*(ask(replica, adapter("a")) for _ in range(5)))
        await ask(replica)
    assert fake.calls == [("load", "a")]


async def test_an_engine_that_has_restarted_gets_it_again():
    fake = FakeEngine()
    async with one(fake) as replica:
        await ask(replica, adapter("a"))
        fake.adapters.clear()
        assert await ask(replica, adapter("a")) == "Thirty days."
        assert fake.calls == [("load", "a"), ("load", "a")]


async def test_a_proof_goes_on_when_another_process_makes_room_for_its_own():
    fake = FakeEngine(said={"a": {"yes": 1.0}, "smollm2": {"no": 1.0}})
    async with one(fake) as replica:
        await ask(replica, adapter("a"))
        fake.adapters.clear()
        assert (await prove(replica, adapter("a"))).difference == pytest.approx(1.0)


async def test_one_that_another_process_has_loaded_is_as_good():
    fake = FakeEngine(adapters={"a": "/adapters/a"})
    async with one(fake) as replica:
        assert await ask(replica, adapter("a")) == "Thirty days."


async def test_the_least_recently_used_makes_room():
    fake, metrics = FakeEngine(), Metrics()
    async with one(fake, max_adapters=2, metrics=metrics) as replica:
        for name in ("a", "b", "a", "c"):
            await ask(replica, adapter(name))
        assert set(fake.adapters) == {"a", "c"}
    text = metrics.render().decode()
    assert f'kyujang_adapter_unloads_total{{reason="evicted",replica="{replica.address}"}} 1.0' in text
    assert f'kyujang_adapter_loads_total{{outcome="loaded",replica="{replica.address}"}} 3.0' in text
    assert f'kyujang_adapters_loaded{{replica="{replica.address}"}} 2.0' in text


async def test_one_in_use_does_not_make_room():
    fake = FakeEngine()
    async with one(fake, max_adapters=1) as replica, replica.adapters.pinned(adapter("a")):
        await ask(replica, adapter("b"))
        assert "a" in fake.adapters


async def test_an_engine_that_does_not_take_it_says_so_and_a_second_one_answers():
    sick, well = FakeEngine(load_status=500), FakeEngine()
    async with fake_engines(sick, well):
        replicas = [sick.replica(), well.replica()]
        engine = engine_of(*replicas)
        await engine.ready()
        for _ in range(6):
            assert await ask(engine, adapter("a")) == "Thirty days."
        with pytest.raises(EngineUnavailable):
            await ask(replicas[0], adapter("a"))
        await engine.close()


async def test_an_idle_replica_that_has_it_is_asked_before_one_that_has_not():
    fakes = [FakeEngine(), FakeEngine()]
    async with fake_engines(*fakes):
        engine = engine_of(*(fake.replica() for fake in fakes))
        await asyncio.gather(*(engine.working() for _ in range(2)))
        for _ in range(8):
            await ask(engine, adapter("a"))
        assert sorted(len(fake.chats) for fake in fakes) == [0, 8]
        await engine.close()


async def test_the_list_of_models_does_not_tell_adapters_for_models():
    fake = FakeEngine(adapters={"t1--a--v1": "/x"}, listed='{"data": [{"id": "t1--a--v1", "parent": "smollm2"}]}')
    async with one(fake) as replica:
        with pytest.raises(EngineUnavailable, match="it serves nothing"):
            await replica.served()


async def test_a_proof_is_a_difference_from_the_base_model():
    fake = FakeEngine(said={"smollm2": {"yes": 0.9, "no": 0.1}, "same": {"yes": 0.9, "no": 0.1}, "other": {"no": 1.0}})
    async with one(fake) as replica:
        same, other = await prove(replica, adapter("same")), await prove(replica, adapter("other"))
    assert (same.differs, other.differs) == (False, True)
    assert other.difference == pytest.approx(0.9)


def test_only_what_follows_the_same_words_is_compared():
    one = [{"a": 0.0}, {"b": 0.0}, {"c": 0.0}]
    assert difference(one, one) == 0
    assert difference(one, [{"a": 0.0}, {"x": 0.0}, {"c": 0.0}]) == 1
    assert difference([{"a": -0.1}, {"b": 0.0}], [{"x": -0.1, "a": -3.0}, {"c": 0.0}]) < 1


@pytest.fixture
def watch(monkeypatch):
    """Without a database: one tenant's adapter is active and known to say yes, another one deleted."""
    proof = Proof(0.9, [[{"yes": 0.0}]] * 2)

    async def answer(value):
        return value

    monkeypatch.setattr("app.adapters.activation.desired", lambda _: answer([(1, ACTIVE)]))
    monkeypatch.setattr("app.adapters.activation.of_use", lambda _, names: answer(set(names) - {DELETED}))
    monkeypatch.setattr(
        "app.adapters.activation.proved", lambda _, name: answer((1, proof.as_json()) if name == ACTIVE else None)
    )

    def make(engine, metrics):
        return AdapterReconciler(Settings(home="/home", adapters_at="/seen"), None, engine, metrics)

    return make


async def test_the_watch_loads_what_is_active_and_unloads_what_is_deleted(watch):
    fake = FakeEngine(adapters={DELETED: "/seen/1/old", "stranger": "/x"}, said={ACTIVE: {"yes": 1.0}})
    async with fake_engines(fake):
        engine = engine_of(fake.replica())
        await watch(engine, Metrics()).once()
        assert fake.adapters == {"stranger": "/x", ACTIVE: f"/seen/1/{ACTIVE}"}
        await engine.close()


async def test_the_watch_leaves_no_more_than_fit_and_those_that_others_use(watch):
    """An operator's own adapter is neither counted nor unloaded."""
    fake = FakeEngine(adapters={f"t1--{name}--v1": f"/seen/1/{name}" for name in "bcd"} | {"stranger": "/x"})
    async with fake_engines(fake):
        replica = fake.replica(max_adapters=2)
        engine = engine_of(replica)
        async with replica.adapters.pinned(adapter("t1--b--v1")):
            await watch(engine, Metrics()).once()
            assert set(fake.adapters) == {"t1--b--v1", "t1--d--v1", "stranger"}
        await engine.close()


async def test_an_engine_whose_adapter_says_something_else_is_not_asked_until_it_says_it_again(watch):
    fake, metrics = FakeEngine(said={ACTIVE: {"no": 1.0}}), Metrics()
    async with fake_engines(fake):
        engine = engine_of(fake.replica())
        watching = watch(engine, metrics)
        await watching.once()
        with pytest.raises(EngineUnavailable, match="no longer gives the output recorded"):
            await ask(engine)
        await engine.working()
        with pytest.raises(EngineUnavailable, match="no longer gives the output recorded"):
            await engine.served()
        fake.said[ACTIVE] = {"yes": 1.0}
        await watching.once()
        await engine.working()
        assert await ask(engine, adapter(ACTIVE)) == "Thirty days."
        assert "strange" in metrics.render().decode()
        await engine.close()

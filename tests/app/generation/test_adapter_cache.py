"""Adapters in replicas that restart, are full, or are several."""

from __future__ import annotations

import asyncio
import hashlib
import io
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from app.errors import EngineUnavailable, NotInEngine
from app.generation.adapter_cache import Adapter
from app.generation.chat import ChatRequest
from app.generation.completion import Generation
from app.metrics import Metrics
from app.storage.peft_folder import FILES, pack_version
from tests.app.fake_engine import FakeEngine, engine_guard, engine_of, fake_engines

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


class Sent:
    """A version that lies where the engine cannot see it."""

    def __init__(self, content: bytes) -> None:
        self._content, self.digest = content, hashlib.sha256(content).hexdigest()

    async def read(self):
        for first in range(0, len(self._content), 1000):
            yield self._content[first : first + 1000]


@pytest.fixture
def packed(tmp_path) -> Sent:
    for name in FILES:
        (tmp_path / name).write_bytes(name.encode() * 1000)
    target = io.BytesIO()
    pack_version(tmp_path, target)
    return Sent(target.getvalue())


def held(fake: FakeEngine, name: str) -> dict[str, bytes]:
    """What lies in the folder that the engine was told."""
    return {each.name: each.read_bytes() for each in Path(fake.adapters[name]).iterdir()}


async def test_a_packed_one_is_sent_to_each_engine_once_and_lies_in_the_folder_that_it_loads(packed, tmp_path):
    fakes = [FakeEngine(held=engine_guard().Adapters(tmp_path / str(number))) for number in range(2)]
    async with fake_engines(*fakes):
        for fake in fakes:
            replica = fake.replica()
            await asyncio.gather(*(ask(replica, Adapter("a", packed)) for _ in range(3)))
            await replica.adapters.unload("a", "evicted")
            await ask(replica, Adapter("a", packed))
            await replica.close()
    assert [fake.sent for fake in fakes] == [1, 1]
    assert len({fake.adapters["a"] for fake in fakes}) == 2
    for fake in fakes:
        assert held(fake, "a") == {name: name.encode() * 1000 for name in FILES}


async def test_other_bytes_than_were_checked_are_not_loaded(packed, tmp_path):
    packed.digest = hashlib.sha256(b"what was checked").hexdigest()
    fake = FakeEngine(held=engine_guard().Adapters(tmp_path / "cache"))
    async with one(fake) as replica:
        with pytest.raises(EngineUnavailable, match="not those of the digest"):
            await ask(replica, Adapter("a", packed))
    assert fake.calls == []


async def test_an_engine_without_the_guard_says_what_it_needs(packed):
    async with one(FakeEngine()) as replica:
        with pytest.raises(NotInEngine, match="engine_guard"):
            await ask(replica, Adapter("a", packed))

"""Whether an adapter changes what an engine says."""

from __future__ import annotations

import pytest

from app.adapters.proof import difference, prove
from tests.app.fake_engine import FakeEngine
from tests.app.generation.test_adapter_cache import adapter, ask, one


async def test_a_proof_goes_on_when_another_process_makes_room_for_its_own():
    fake = FakeEngine(said={"a": {"yes": 1.0}, "smollm2": {"no": 1.0}})
    async with one(fake) as replica:
        await ask(replica, adapter("a"))
        fake.adapters.clear()
        assert (await prove(replica, adapter("a"))).difference == pytest.approx(1.0)


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

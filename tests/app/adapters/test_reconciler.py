"""Adapters of engines and of the database, brought together: what is loaded, unloaded, and no longer says the same."""

from __future__ import annotations

import pytest

from app.adapters.proof import Proof
from app.adapters.reconciler import AdapterReconciler
from app.adapters.version import Published
from app.errors import EngineUnavailable
from app.metrics import Metrics
from app.settings import Settings
from tests.app.fake_engine import FakeEngine, engine_of, fake_engines
from tests.app.generation.test_adapter_cache import adapter, ask

ACTIVE, DELETED = "t1--a--v1", "t1--old--v1"


@pytest.fixture
def reconciler(monkeypatch):
    """Without a database: one tenant's adapter is active and known to say yes, another one deleted."""
    proof = Proof(0.9, [[{"yes": 0.0}]] * 2)

    async def answer(value):
        return value

    monkeypatch.setattr("app.adapters.activation.desired", lambda _: answer([Published(1, ACTIVE, None)]))
    monkeypatch.setattr("app.adapters.activation.of_use", lambda _, names: answer(set(names) - {DELETED}))
    monkeypatch.setattr(
        "app.adapters.activation.proved",
        lambda _, name: answer((Published(1, name, None), proof.as_json()) if name == ACTIVE else None),
    )

    def make(engine, metrics):
        return AdapterReconciler(Settings(home="/home", adapters_at="/seen"), None, None, engine, metrics)

    return make


async def test_reconciling_loads_what_is_active_and_unloads_what_is_deleted(reconciler):
    fake = FakeEngine(adapters={DELETED: "/seen/1/old", "stranger": "/x"}, said={ACTIVE: {"yes": 1.0}})
    async with fake_engines(fake):
        engine = engine_of(fake.replica())
        await reconciler(engine, Metrics()).once()
        assert fake.adapters == {"stranger": "/x", ACTIVE: f"/seen/1/{ACTIVE}"}
        await engine.close()


async def test_reconciling_leaves_no_more_than_fit_and_those_that_others_use(reconciler):
    """An operator's own adapter is neither counted nor unloaded."""
    fake = FakeEngine(adapters={f"t1--{name}--v1": f"/seen/1/{name}" for name in "bcd"} | {"stranger": "/x"})
    async with fake_engines(fake):
        replica = fake.replica(max_adapters=2)
        engine = engine_of(replica)
        async with replica.adapters.pinned(adapter("t1--b--v1")):
            await reconciler(engine, Metrics()).once()
            assert set(fake.adapters) == {"t1--b--v1", "t1--d--v1", "stranger"}
        await engine.close()


async def test_an_engine_whose_adapter_says_something_else_is_not_asked_until_it_says_it_again(reconciler):
    fake, metrics = FakeEngine(said={ACTIVE: {"no": 1.0}}), Metrics()
    async with fake_engines(fake):
        engine = engine_of(fake.replica())
        reconciling = reconciler(engine, metrics)
        await reconciling.once()
        with pytest.raises(EngineUnavailable, match="no longer gives the output recorded"):
            await ask(engine)
        await engine.working()
        with pytest.raises(EngineUnavailable, match="no longer gives the output recorded"):
            await engine.served()
        fake.said[ACTIVE] = {"yes": 1.0}
        await reconciling.once()
        await engine.working()
        assert await ask(engine, adapter(ACTIVE)) == "Thirty days."
        assert "strange" in metrics.render().decode()
        await engine.close()

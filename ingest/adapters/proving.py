"""The last two steps of an adapter's way: load it into every engine, and prove that it changes what they say."""

from __future__ import annotations

from app.adapters import registry
from app.adapters.folders import adapter_of
from app.adapters.proof import DIFFERS, Proof
from app.adapters.proof import prove as prove_in
from app.adapters.version import AdapterStatus, AdapterVersion, Check
from app.errors import EngineUnavailable, NotInEngine
from app.generation.engine import Engine
from app.services import Services
from ingest.adapters.rejection import Rejected
from ingest.jobs.queue import ClaimedTask, TaskFailed


async def load(services: Services, task: ClaimedTask, adapter: AdapterVersion) -> AdapterVersion:
    """Load it into each engine that works; one that is down gets it before it answers with it.

    Raises Rejected if an engine that works does not load it, TaskFailed if it loads none at all, or EngineUnavailable.
    """
    handle = adapter_of(services.settings, services.storage, adapter.published(task.tenant))
    replicas = await _engine(services).working()
    for replica in replicas:
        try:
            await replica.adapters.load(handle)
        except NotInEngine as error:
            raise TaskFailed("engine", error.detail) from error
        except EngineUnavailable as error:
            await replica.probe()
            raise Rejected("loaded", f"The engine does not load it: {error.detail}") from error
    where = ", ".join(replica.address for replica in replicas)
    return await _passed(services, task, adapter, "proving", Check("loaded", True, f"into {where}"))


async def prove(services: Services, task: ClaimedTask, adapter: AdapterVersion) -> AdapterVersion:
    """Compare it with the base model in each engine. Raises Rejected if one does not differ, or EngineUnavailable."""
    handle = adapter_of(services.settings, services.storage, adapter.published(task.tenant))
    replicas = await _engine(services).working()
    proofs = [await prove_in(replica, handle) for replica in replicas]
    weakest = min(proofs, key=lambda proof: proof.difference)
    if not weakest.differs:
        for replica in replicas:
            await replica.adapters.unload(handle.name, "rejected")
        raise Rejected(
            "differs",
            f"On the probes it says what the base model says (difference {weakest.difference:.4f}, at least "
            f"{DIFFERS} is needed): it is untrained, or trained too little to matter.",
        )
    detail = f"probability moved on the probes: {weakest.difference:.2f} of 1"
    return await _passed(services, task, adapter, "ready", Check("differs", True, detail), proofs[0])


async def _passed(
    services: Services,
    task: ClaimedTask,
    adapter: AdapterVersion,
    status: AdapterStatus,
    check: Check,
    proof: Proof | None = None,
) -> AdapterVersion:
    others = [each for each in adapter.checks if each.name != check.name]
    return await registry.set_status(
        services.database,
        task.tenant,
        adapter.name,
        adapter.version,
        status,
        checks=[*others, check],
        proof=proof.as_json() if proof else None,
    )


def _engine(services: Services) -> Engine:
    if services.engine is None:
        raise EngineUnavailable("There is no engine (KYUJANG_ENGINE=none), so no adapter can be loaded.")
    return services.engine

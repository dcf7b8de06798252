"""Keep the engine's replicas and the database together.

Active adapters are loaded, deleted ones are not, and each one still says what it said when it was proved.
"""

from __future__ import annotations

import asyncio
import logging
import re
import secrets
from collections.abc import Sequence

from app.adapters import activation
from app.adapters.folders import adapter_of
from app.adapters.proof import DRIFTED, PROBES, Proof, difference, distributions, proof_from
from app.errors import DatabaseUnavailable, EngineUnavailable
from app.generation.adapter_cache import Adapter
from app.generation.engine import Engine
from app.generation.replica import EngineReplica
from app.metrics import Metrics
from app.settings import Settings
from app.storage.database import Database
from app.storage.object_storage import Damaged, ObjectStorage, StorageUnavailable
from app.storage.tenancy import TenantNumber

log = logging.getLogger("kyujang.adapters")

EVERY_S = 15
CANARY_TOKENS = 3
# What app/adapters/registry.py makes; an operator may have given the engine others.
OURS = re.compile(r"t[0-9]+--")


async def unload_tenant(engine: Engine, tenant: TenantNumber) -> None:
    """Unload a deleted tenant's adapters from every replica. Raises EngineUnavailable if one does not answer: what it
    has loaded, and may read again from the files, is not known then."""
    faults = []
    for replica in engine.all_replicas:
        try:
            for name in await replica.listed_adapters():
                if name.startswith(f"t{tenant}--"):
                    await replica.adapters.unload(name, "deleted")
            await replica.adapters.remove_copies(tenant)
        except EngineUnavailable as error:
            faults.append(f"{replica.address}: {error.detail}")
    if faults:
        raise EngineUnavailable("; ".join(faults))


class AdapterReconciler:
    def __init__(
        self, settings: Settings, storage: ObjectStorage | None, database: Database, engine: Engine, metrics: Metrics
    ) -> None:
        self._settings = settings
        self._storage = storage
        self._database = database
        self._engine = engine
        self._metrics = metrics
        self._drifted: dict[EngineReplica, str] = {}

    async def run(self) -> None:
        """Reconcile regularly, until cancelled."""
        while True:
            try:
                await self.once()
            except (DatabaseUnavailable, EngineUnavailable):
                log.debug("adapters are not reconciled now", exc_info=True)
            await asyncio.sleep(EVERY_S)

    async def once(self) -> None:
        """Reconcile each replica that works. Raises DatabaseUnavailable or EngineUnavailable."""
        desired = await activation.desired(self._database)
        active = [adapter_of(self._settings, self._storage, each) for each in desired]
        for replica in await self._engine.working():
            try:
                await self._reconcile(replica, active)
                await self._check_drift(replica)
            except (EngineUnavailable, StorageUnavailable) as error:
                log.warning("adapters of %s", replica.address, extra={"cause": str(error)})

    async def _reconcile(self, replica: EngineReplica, active: Sequence[Adapter]) -> None:
        ours = [name for name in await replica.listed_adapters() if OURS.match(name)]
        replica.adapters.sync(ours)
        for name in set(ours) - await activation.of_use(self._database, ours):
            await replica.adapters.unload(name, "deleted")
        await replica.adapters.make_room()
        # Not more than fit, or each would push another out; the others are loaded when they are asked for.
        for adapter in active:
            if not replica.adapters.full and adapter.name not in replica.adapters:
                try:
                    await replica.adapters.load(adapter)
                except Damaged as error:
                    log.error("adapter cannot be loaded", extra={"adapter": adapter.name, "cause": str(error)})

    async def _check_drift(self, replica: EngineReplica) -> None:
        """Check one adapter, at random; one that has drifted each time, until it no longer does."""
        name = self._drifted.get(replica) or secrets.choice(replica.adapters.names or [""])
        stored = await activation.proved(self._database, name)
        if stored is None:
            self._release(replica)
            return
        version, proof = stored
        adapter = adapter_of(self._settings, self._storage, version)
        drifted = await self._has_drifted(replica, adapter, proof_from(proof))
        if drifted:
            await replica.adapters.unload(name, "strange")
            drifted = await self._has_drifted(replica, adapter, proof_from(proof))
        if drifted:
            self._drifted[replica] = name
            self._engine.quarantine(replica, f"an adapter ({name}) no longer gives the output recorded at validation")
        else:
            self._release(replica)

    async def _has_drifted(self, replica: EngineReplica, adapter: Adapter, proof: Proof) -> bool:
        number = secrets.randbelow(len(PROBES))
        found = await distributions(replica, number, adapter, CANARY_TOKENS)
        drifted = difference(found, proof.answers[number]) >= DRIFTED
        for outcome in ("ok", "strange"):
            # Both from the first on: an increase is only seen from a number that was there.
            self._metrics.adapter_canaries.labels(replica.address, outcome).inc((outcome == "strange") == drifted)
        return drifted

    def _release(self, replica: EngineReplica) -> None:
        if self._drifted.pop(replica, None) is not None:
            self._engine.quarantine(replica, None)

"""Keeps the engine's replicas and the database together: active adapters are loaded, deleted ones are not, and each one
still says what it said when it was proved."""

from __future__ import annotations

import asyncio
import logging
import re
import secrets
from collections.abc import Sequence

from app.adapters import activation
from app.adapters.folders import adapter_of
from app.adapters.proof import PROBES, STRANGE, Proof, difference, distributions, proof_from
from app.errors import DatabaseUnavailable, EngineUnavailable
from app.generation.adapter_cache import Adapter
from app.generation.engine import Engine
from app.generation.replicas import Replicas
from app.metrics import Metrics
from app.settings import Settings
from app.storage.database import Database

log = logging.getLogger("kyujang.adapters")

EVERY_S = 15
CANARY_TOKENS = 3
# What app/adapters/registry.py makes; an operator may have given the engine others.
OURS = re.compile(r"t[0-9]+--")


class AdapterWatch:
    def __init__(self, settings: Settings, database: Database, replicas: Replicas, metrics: Metrics) -> None:
        self._settings = settings
        self._database = database
        self._replicas = replicas
        self._metrics = metrics
        self._strange: dict[Engine, str] = {}

    async def run(self) -> None:
        """Until it is cancelled."""
        while True:
            try:
                await self.once()
            except (DatabaseUnavailable, EngineUnavailable):
                log.debug("not now", exc_info=True)
            await asyncio.sleep(EVERY_S)

    async def once(self) -> None:
        """Raises DatabaseUnavailable or EngineUnavailable."""
        active = [adapter_of(self._settings, *each) for each in await activation.desired(self._database)]
        for engine in await self._replicas.working():
            try:
                await self._reconcile(engine, active)
                await self._listen(engine)
            except EngineUnavailable as error:
                log.warning("adapters of %s", engine.address, extra={"cause": error.detail})

    async def _reconcile(self, engine: Engine, active: Sequence[Adapter]) -> None:
        ours = [name for name in await engine.listed_adapters() if OURS.match(name)]
        engine.adapters.know(ours)
        for name in set(ours) - await activation.of_use(self._database, ours):
            await engine.adapters.unload(name, "deleted")
        await engine.adapters.make_room()
        # Not more than fit, or each would push another out; the others are loaded when they are asked for.
        for adapter in active:
            if not engine.adapters.full and adapter.name not in engine.adapters:
                await engine.adapters.load(adapter)

    async def _listen(self, engine: Engine) -> None:
        """To one adapter, each time another; to one that was strange until it is not."""
        name = self._strange.get(engine) or secrets.choice(engine.adapters.names or [""])
        stored = await activation.proved(self._database, name)
        if stored is None:
            self._absolve(engine)
            return
        tenant, proof = stored
        adapter = adapter_of(self._settings, tenant, name)
        strange = await self._is_strange(engine, adapter, proof_from(proof))
        if strange:
            await engine.adapters.unload(name, "strange")
            strange = await self._is_strange(engine, adapter, proof_from(proof))
        if strange:
            self._strange[engine] = name
            self._replicas.condemn(engine, f"an adapter ({name}) no longer gives the output recorded at validation")
        else:
            self._absolve(engine)

    async def _is_strange(self, engine: Engine, adapter: Adapter, proof: Proof) -> bool:
        number = secrets.randbelow(len(PROBES))
        heard = await distributions(engine, number, adapter, CANARY_TOKENS)
        strange = difference(heard, proof.answers[number]) >= STRANGE
        self._metrics.adapter_canaries.labels(engine.address, "strange" if strange else "ok").inc()
        return strange

    def _absolve(self, engine: Engine) -> None:
        if self._strange.pop(engine, None) is not None:
            self._replicas.condemn(engine, None)

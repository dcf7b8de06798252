"""The adapters that one replica of the engine has loaded: on demand; the least recently used make room."""

from __future__ import annotations

import asyncio
import logging
from collections import Counter, OrderedDict
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from time import monotonic
from typing import Literal, Protocol

from app.errors import EngineUnavailable, InvalidInput, NotInEngine
from app.generation.faults import well_formed
from app.generation.transport import EngineHttp
from app.metrics import Metrics

log = logging.getLogger("kyujang.adapters")

ALREADY = "already been loaded"


NO_GUARD = (
    "The engine takes no adapters over HTTP: with KYUJANG_STORAGE it has to run behind deploy/engine_guard.py of this "
    "version."
)


class Packed(Protocol):
    """The files of a version as one .tar, whose SHA-256 is `digest`, in hex digits."""

    @property
    def digest(self) -> str: ...

    def read(self) -> AsyncIterator[bytes]: ...


@dataclass(frozen=True, slots=True)
class Adapter:
    """A version by the name that the engine knows, and its folder as the engine sees it, or what is sent there."""

    name: str
    files: str | Packed


class AdapterCache:
    """vLLM forgets its adapters when it restarts, and other processes load and unload them too: this is what was known
    last, and EngineReplica corrects it when the engine says otherwise."""

    def __init__(self, http: EngineHttp, replica: str, capacity: int, metrics: Metrics) -> None:
        self._http = http
        self._replica = replica
        self._capacity = capacity
        self._metrics = metrics
        # Least recently used first.
        self._loaded: OrderedDict[str, None] = OrderedDict()
        self._pins: Counter[str] = Counter()
        self._locks: dict[str, asyncio.Lock] = {}

    def __contains__(self, name: str) -> bool:
        return name in self._loaded

    @property
    def names(self) -> Sequence[str]:
        return list(self._loaded)

    @property
    def full(self) -> bool:
        return len(self._loaded) >= self._capacity

    def sync(self, names: Sequence[str]) -> None:
        """Take over what the engine itself lists."""
        for name in set(self._loaded) - set(names):
            self.forget(name)
        for name in names:
            self._loaded.setdefault(name)
        self._count()

    def forget(self, name: str) -> None:
        self._loaded.pop(name, None)
        self._count()

    @asynccontextmanager
    async def pinned(self, adapter: Adapter) -> AsyncIterator[None]:
        """Load it, and keep it loaded during the block as far as this process decides. Raises EngineUnavailable."""
        self._pins[adapter.name] += 1
        try:
            await self.load(adapter)
            yield
        finally:
            self._pins[adapter.name] -= 1
            if not self._pins[adapter.name]:
                del self._pins[adapter.name]

    async def load(self, adapter: Adapter) -> None:
        """Load it unless it is there. Raises EngineUnavailable."""
        if adapter.name in self._loaded:
            self._loaded.move_to_end(adapter.name)
            return
        started = monotonic()
        # One loads it for all that ask at the same time.
        async with self._locks.setdefault(adapter.name, asyncio.Lock()):
            if adapter.name not in self._loaded:
                await self.make_room(1)
                await self._load(adapter)
                self._loaded[adapter.name] = None
                self._count()
        self._locks.pop(adapter.name, None)
        self._metrics.adapter_wait_seconds.observe(monotonic() - started)

    async def unload(self, name: str, why: str) -> None:
        """Make the engine forget the name; requests in flight continue. Raises EngineUnavailable."""
        self.forget(name)
        try:
            await self._http.send("/v1/unload_lora_adapter", {"lora_name": name})
        except NotInEngine:
            return
        self._metrics.adapter_unloads.labels(self._replica, why).inc()

    async def remove_copies(self, tenant: int) -> None:
        """Have the engine's guard remove what it has been sent of a tenant's adapters. Raises EngineUnavailable."""
        try:
            await self._http.call("DELETE", f"/kyujang/adapters/t{tenant}")
        except NotInEngine:
            log.debug("an engine without such a guard has no copies")

    async def make_room(self, slots: int = 0) -> None:
        """Unload the least recently used until `slots` are free; other processes load too. Raises EngineUnavailable."""
        while len(self._loaded) + slots > self._capacity:
            idle = next((name for name in self._loaded if name not in self._pins), None)
            if idle is None:
                return
            await self.unload(idle, "evicted")

    async def _load(self, adapter: Adapter) -> None:
        outcome = "failed"
        try:
            folder = adapter.files if isinstance(adapter.files, str) else await self._send(adapter.files)
            outcome = await self._register(adapter.name, folder)
        finally:
            self._metrics.adapter_loads.labels(self._replica, outcome).inc()
        log.info("adapter %s", outcome, extra={"adapter": adapter.name, "replica": self._replica})

    async def _register(self, name: str, folder: str) -> Literal["loaded", "there"]:
        try:
            await self._http.send("/v1/load_lora_adapter", {"lora_name": name, "lora_path": folder}, "/adapter")
        except InvalidInput as error:
            if ALREADY not in error.detail:
                raise EngineUnavailable(error.detail) from error
            return "there"
        except NotInEngine as error:
            raise NotInEngine(
                "The engine takes no adapters, or does not find this one's files: start it with --enable-lora and "
                f"VLLM_ALLOW_RUNTIME_LORA_UPDATING=1, and see KYUJANG_ADAPTERS_AT. ({error.detail})"
            ) from error
        return "loaded"

    async def _send(self, packed: Packed) -> str:
        """Send it unless it is there, and return its folder. Raises EngineUnavailable."""
        path = f"/kyujang/adapters/{packed.digest}"
        try:
            answer = await self._http.call("GET", path)
        except NotInEngine:
            try:
                answer = await self._http.upload(path, packed.read())
            except InvalidInput as error:
                raise EngineUnavailable(error.detail) from error
            except NotInEngine as error:
                raise NotInEngine(NO_GUARD) from error
        with well_formed():
            return str(answer["folder"])

    def _count(self) -> None:
        self._metrics.adapters_loaded.labels(self._replica).set(len(self._loaded))

"""The engine's replicas as one engine: the least loaded one that works is asked."""

from __future__ import annotations

import asyncio
import logging
import random
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import aclosing, suppress
from dataclasses import dataclass, field
from typing import Any, Literal, TypeVar

from app.errors import EngineNotBegun, EngineUnavailable
from app.generation.adapter_cache import Adapter
from app.generation.admission import Admission
from app.generation.engine import Engine, Generation, Sampling, Served, open_engines
from app.generation.messages import Message
from app.metrics import Metrics
from app.settings import Settings
from app.tenancy import TenantNumber

log = logging.getLogger("kyujang.replicas")

CHECK_EVERY_S = 5
CHECK_TIMEOUT_S = 8

State = Literal["up", "in doubt", "down"]
T = TypeVar("T")


@dataclass(eq=False)
class _Replica:
    engine: Engine
    name: str
    # In doubt: not tried yet, or something failed since. Asked only where none is up.
    state: State = "in doubt"
    reason: str = "not tried yet"
    served: Served | None = None
    running: int = 0
    condemned: str | None = None
    alarm: asyncio.Event = field(default_factory=asyncio.Event)
    trial: asyncio.Task[bool] | None = None


class Replicas:
    def __init__(self, engines: Sequence[Engine], admission: Admission, metrics: Metrics) -> None:
        names = [f"engine {number} ({each.address})" for number, each in enumerate(engines, start=1)]
        self._replicas = [_Replica(each, name) for each, name in zip(engines, names, strict=True)]
        self._admission = admission
        self._metrics = metrics
        for replica in self._replicas:
            metrics.engine_replica_up.labels(replica.name).set(0)

    async def close(self) -> None:
        for replica in self._replicas:
            if replica.trial is not None:
                replica.trial.cancel()
            await replica.engine.close()

    @property
    def replicas(self) -> dict[str, str]:
        """What was found out last about each of several, by name: ok, or what is wrong."""
        several = self._replicas if len(self._replicas) > 1 else []
        return {each.name: each.reason for each in several}

    def refuse_if_full(self, tenant: TenantNumber) -> None:
        """Raises TooManyRequests if generate() would."""
        self._admission.refuse_if_full(tenant)

    async def served(self) -> Served:
        """Raises EngineUnavailable, as all of these do."""
        return await self._ask(Engine.served)

    async def count_tokens(self, texts: Sequence[str]) -> list[int]:
        return await self._ask(lambda engine: engine.count_tokens(texts))

    async def count_message_tokens(self, messages: Sequence[Message]) -> int:
        return await self._ask(lambda engine: engine.count_message_tokens(messages))

    async def generate(
        self,
        messages: Sequence[Message],
        sampling: Sampling,
        *,
        tenant: TenantNumber,
        schema: dict[str, Any] | None = None,
        adapter: Adapter | None = None,
    ) -> AsyncGenerator[str | Generation]:
        """As Engine.generate(), when it is this tenant's turn. Tried once more elsewhere if it did not begin.

        Raises TooManyRequests and Overloaded too.
        """

        def parts_of(engine: Engine) -> AsyncGenerator[str | Generation]:
            return engine.generate(messages, sampling, tenant=tenant, schema=schema, adapter=adapter)

        async with self._admission.place(tenant):
            first = self._least_loaded(adapter)
            try:
                async with aclosing(self._parts(first, parts_of(first.engine))) as parts:
                    async for part in parts:
                        yield part
                return
            except EngineNotBegun:
                second = self._another(first, adapter)
                if second is None:
                    raise
            async with aclosing(self._parts(second, parts_of(second.engine))) as parts:
                async for part in parts:
                    yield part

    async def working(self) -> list[Engine]:
        """Those that work, condemned or not; what is not up is tried first. Raises EngineUnavailable if none does."""
        await asyncio.gather(*(self._trial_of(each) for each in self._replicas if each.state != "up"))
        working = [each.engine for each in self._replicas if each.state == "up" or each.condemned]
        if not working:
            raise self._unavailable()
        return working

    def condemn(self, engine: Engine, reason: str | None) -> None:
        """Not asked until the reason is taken back, however well it completes a token."""
        for replica in self._replicas:
            if replica.engine is engine:
                replica.condemned = reason
                replica.alarm.set()
                if reason is not None:
                    self._mark(replica, "down", reason)

    async def ready(self) -> None:
        """Some replica completes a token. Raises EngineUnavailable with what is wrong with each."""
        for trial in asyncio.as_completed([self._trial_of(each) for each in self._replicas]):
            if await trial:
                return
        raise self._unavailable()

    async def watch(self) -> None:
        """Tries each now and again, and after a fault at once; until it is cancelled."""
        async with asyncio.TaskGroup() as group:
            for replica in self._replicas:
                group.create_task(self._watch(replica))

    async def _watch(self, replica: _Replica) -> None:
        while True:
            replica.alarm.clear()
            if replica.state != "up" or time.monotonic() - replica.engine.heard_at > CHECK_EVERY_S:
                await self._trial_of(replica)
            with suppress(TimeoutError):
                async with asyncio.timeout(CHECK_EVERY_S):
                    await replica.alarm.wait()

    def _trial_of(self, replica: _Replica) -> asyncio.Task[bool]:
        """One at a time, however many ask."""
        if replica.trial is None or replica.trial.done():
            replica.trial = asyncio.create_task(self._try(replica))
        return replica.trial

    async def _try(self, replica: _Replica) -> bool:
        started = time.monotonic()
        try:
            async with asyncio.timeout(CHECK_TIMEOUT_S):
                served = await replica.engine.ready()
        except TimeoutError:
            # One that goes on answering others is busy, not stuck.
            if replica.engine.heard_at > started:
                return True
            self._mark(replica, "down", f"no answer within {CHECK_TIMEOUT_S} s")
        except EngineUnavailable as error:
            self._mark(replica, "down", error.detail)
        else:
            others = [each for each in self._replicas if each.state == "up" and each is not replica]
            if others and others[0].served != served:
                reason = f"not used: it serves {_words(served)}, {others[0].name} serves {_words(others[0].served)}"
                self._mark(replica, "down", reason)
            elif replica.condemned is not None:
                self._mark(replica, "down", replica.condemned)
            else:
                replica.served = served
                self._mark(replica, "up", "ok")
        return replica.state == "up"

    async def _ask(self, ask: Callable[[Engine], Awaitable[T]]) -> T:
        first = self._least_loaded()
        try:
            return await self._asked(first, ask)
        except EngineNotBegun:
            second = self._another(first)
            if second is None:
                raise
        return await self._asked(second, ask)

    async def _asked(self, replica: _Replica, ask: Callable[[Engine], Awaitable[T]]) -> T:
        try:
            return await ask(replica.engine)
        except EngineUnavailable as error:
            self._doubt(replica, error)
            raise

    async def _parts(
        self, replica: _Replica, parts: AsyncGenerator[str | Generation]
    ) -> AsyncGenerator[str | Generation]:
        replica.running += 1
        try:
            async with aclosing(parts):
                async for part in parts:
                    yield part
        except EngineUnavailable as error:
            self._doubt(replica, error)
            raise
        finally:
            replica.running -= 1

    def _least_loaded(self, adapter: Adapter | None = None) -> _Replica:
        replica = self._another(None, adapter)
        if replica is None:
            raise self._unavailable()
        return replica

    def _another(self, tried: _Replica | None, adapter: Adapter | None = None) -> _Replica | None:
        """Of the least loaded ones, one that has the adapter."""
        for state in ("up", "in doubt"):
            usable = [each for each in self._replicas if each.state == state and each is not tried]
            if usable:
                least = min(each.running for each in usable)
                idle = [each for each in usable if each.running == least]
                has = [each for each in idle if adapter is not None and adapter.name in each.engine.adapters]
                return random.choice(has or idle)
        return None

    def _doubt(self, replica: _Replica, error: EngineUnavailable) -> None:
        if replica.state == "up":
            self._mark(replica, "in doubt", error.detail)
        replica.alarm.set()

    def _mark(self, replica: _Replica, state: State, reason: str) -> None:
        if replica.state != state:
            level = logging.INFO if state == "up" else logging.WARNING
            log.log(level, "%s is %s", replica.name, state, extra={"cause": reason})
        replica.state, replica.reason = state, reason
        self._metrics.engine_replica_up.labels(replica.name).set(state == "up")

    def _unavailable(self) -> EngineUnavailable:
        if len(self._replicas) == 1:
            return EngineUnavailable(self._replicas[0].reason)
        return EngineUnavailable("; ".join(f"{number}: {each.reason}" for number, each in enumerate(self._replicas, 1)))


def open_replicas(settings: Settings, metrics: Metrics) -> Replicas | None:
    """None when the answers are extractive only."""
    engines = open_engines(settings, metrics)
    admission = Admission(
        metrics,
        concurrency=settings.engine_concurrency,
        per_tenant=settings.tenant_concurrency,
        queue=settings.tenant_queue,
        timeout_s=settings.queue_timeout_s,
    )
    return Replicas(engines, admission, metrics) if engines else None


def _words(served: Served | None) -> str:
    return f"{served.model} with {served.context_tokens} tokens" if served else "nothing"

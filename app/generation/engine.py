"""The engine as its callers see it: one, however many replicas; the least loaded one that works is asked."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator, Sequence
from contextlib import aclosing, contextmanager, suppress
from typing import TypeVar

from app.errors import EngineNotBegun, EngineStarting, EngineUnavailable
from app.generation.adapter_cache import Adapter
from app.generation.admission import Admission
from app.generation.chat import ChatRequest
from app.generation.completion import Generation
from app.generation.health import ReplicaHealth, ReplicaState
from app.generation.messages import Message
from app.generation.replica import EngineReplica, Served
from app.generation.timeouts import Timeouts
from app.generation.token_counts import TokenCounts
from app.metering import CallMeter
from app.metrics import Metrics
from app.settings import Settings

CHECK_EVERY_S = 5
# On a CPU vLLM spins for a second after each token: by a token every five seconds an idle engine took .4 of a core.
TOKEN_EVERY_S = 30

T = TypeVar("T")


class Engine:
    def __init__(self, replicas: Sequence[EngineReplica], admission: Admission, metrics: Metrics) -> None:
        names = [f"engine {number} ({each.address})" for number, each in enumerate(replicas, start=1)]
        self._replicas = [ReplicaHealth(each, name, metrics) for each, name in zip(replicas, names, strict=True)]
        self._admission = admission
        self._counts = TokenCounts(self._count_text)
        for name in names:
            metrics.engine_replica_up.labels(name).set(0)

    async def close(self) -> None:
        for each in self._replicas:
            if each.probing is not None:
                each.probing.cancel()
            await each.replica.close()

    @property
    def replicas(self) -> dict[str, str]:
        """What was found out last about each of several, by name: ok, or what is wrong."""
        several = self._replicas if len(self._replicas) > 1 else []
        return {each.name: each.reason for each in several}

    @property
    def states(self) -> list[ReplicaState]:
        return [each.shown for each in self._replicas]

    @property
    def running(self) -> int:
        return self._admission.running

    @property
    def waiting(self) -> int:
        return self._admission.waiting

    @property
    def all_replicas(self) -> list[EngineReplica]:
        """Those that work and those that do not."""
        return [each.replica for each in self._replicas]

    @property
    def starting(self) -> bool:
        """Whether no replica has been reached since this process started."""
        return all(each.starting for each in self._replicas)

    def refuse_if_full(self, tenant: int) -> None:
        """Raise TooManyRequests if generate() would."""
        self._admission.refuse_if_full(tenant)

    async def served(self) -> Served:
        """Raises EngineUnavailable, as all of these do."""
        return await self._ask(EngineReplica.served)

    async def count_tokens(self, texts: Sequence[str]) -> list[int]:
        """Count by the engine's own tokenizer, without special tokens."""
        model = (await self.served()).model
        return list(await asyncio.gather(*(self._counts.of(model, text) for text in texts)))

    async def count_message_tokens(self, messages: Sequence[Message]) -> int:
        """Count the whole prompt as the chat template makes it."""
        model = (await self.served()).model
        body = {"model": model, "messages": list(messages), "add_generation_prompt": True}
        return await self._ask(lambda replica: replica.tokenize(body))

    async def generate(self, request: ChatRequest) -> AsyncGenerator[str | Generation]:
        """Generate on one replica when it is this tenant's turn; once more on another if the first did not begin.

        Raises TooManyRequests and Overloaded too.
        """
        async with self._admission.slot(request.tenant):
            for attempt in self._attempts(request.adapter):
                try:
                    with attempt.busy(), self._noting_faults(attempt) as replica:
                        async with aclosing(replica.generate(request)) as parts:
                            async for part in parts:
                                yield part
                    return
                except EngineNotBegun as error:
                    failed = error
            raise self._unavailable() if self.starting else failed

    async def working(self) -> list[EngineReplica]:
        """Return those that work, in quarantine or not; probe what is not up first. Raises EngineUnavailable."""
        await asyncio.gather(*(self._probe(each) for each in self._replicas if each.state != "up"))
        working = [each.replica for each in self._replicas if each.state == "up" or each.quarantined]
        if not working:
            raise self._unavailable()
        return working

    def quarantine(self, replica: EngineReplica, reason: str | None) -> None:
        """Leave it out until the reason is withdrawn, however well it completes a token."""
        for each in self._replicas:
            if each.replica is replica:
                each.quarantine(reason)

    async def ready(self) -> None:
        """Wait until some replica completes a token. Raises EngineUnavailable with what is wrong with each."""
        for probe in asyncio.as_completed([self._probe(each) for each in self._replicas]):
            if await probe:
                return
        raise self._unavailable()

    async def watch(self) -> None:
        """Look at each replica regularly, and after a fault at once; until cancelled.

        One that is up and answers nobody completes a token now and then; whether it is there is seen more often.
        """
        async with asyncio.TaskGroup() as group:
            for each in self._replicas:
                group.create_task(self._watch(each))

    async def _watch(self, each: ReplicaHealth) -> None:
        while True:
            each.wake.clear()
            if each.state != "up" or time.monotonic() - each.last_token_at > TOKEN_EVERY_S:
                await self._probe(each)
            await each.look()
            with suppress(TimeoutError):
                async with asyncio.timeout(CHECK_EVERY_S):
                    await each.wake.wait()

    def _probe(self, each: ReplicaHealth) -> asyncio.Task[bool]:
        return each.start_probe(self._replicas)

    async def _ask(self, ask: Callable[[EngineReplica], Awaitable[T]]) -> T:
        for attempt in self._attempts():
            try:
                with self._noting_faults(attempt) as replica:
                    return await ask(replica)
            except EngineNotBegun as error:
                failed = error
        raise self._unavailable() if self.starting else failed

    def _attempts(self, adapter: Adapter | None = None) -> Iterator[ReplicaHealth]:
        """Yield the replica to ask, and another one for what the first did not begin. Raises EngineUnavailable."""
        first = self._pick(adapter)
        if first is None:
            raise self._unavailable()
        yield first
        second = self._pick(adapter, tried=first)
        if second is not None:
            yield second

    def _pick(self, adapter: Adapter | None, tried: ReplicaHealth | None = None) -> ReplicaHealth | None:
        """Pick the least-loaded usable replica, preferring one that has the adapter loaded."""
        for state in ("up", "unverified"):
            usable = [each for each in self._replicas if each.state == state and each is not tried]
            if usable:
                least = min(each.running for each in usable)
                idle = [each for each in usable if each.running == least]
                has = [each for each in idle if adapter is not None and adapter.name in each.replica.adapters]
                return random.choice(has or idle)
        return None

    @contextmanager
    def _noting_faults(self, health: ReplicaHealth) -> Iterator[EngineReplica]:
        try:
            yield health.replica
        except EngineUnavailable as error:
            health.suspect(error)
            # Another model may be there afterwards.
            self._counts.forget()
            raise

    async def _count_text(self, model: str, text: str) -> int:
        body = {"model": model, "prompt": text, "add_special_tokens": False}
        return await self._ask(lambda replica: replica.tokenize(body))

    def _unavailable(self) -> EngineUnavailable:
        kind = EngineStarting if self.starting else EngineUnavailable
        if len(self._replicas) == 1:
            return kind(self._replicas[0].reason)
        return kind("; ".join(f"{number}: {each.reason}" for number, each in enumerate(self._replicas, 1)))


def open_engine(settings: Settings, metrics: Metrics, meter: CallMeter | None = None) -> Engine | None:
    """Return None when the answers are extractive only."""
    replicas = open_replicas(settings, metrics, meter)
    admission = Admission(
        metrics,
        concurrency=settings.engine_concurrency,
        per_tenant=settings.tenant_concurrency,
        queue=settings.tenant_queue,
        timeout_s=settings.queue_timeout_s,
    )
    return Engine(replicas, admission, metrics) if replicas else None


def open_replicas(settings: Settings, metrics: Metrics, meter: CallMeter | None = None) -> list[EngineReplica]:
    """Return none if the answers are extractive only: KYUJANG_ENGINE=none."""
    if settings.engine == "none":
        return []
    key = settings.llm_key.get_secret_value() if settings.llm_key else None
    timeouts = Timeouts(
        connect_s=settings.llm_connect_timeout_s,
        first_token_s=settings.llm_first_token_timeout_s,
        token_s=settings.llm_token_timeout_s,
        answer_s=settings.llm_timeout_s,
    )
    return [
        EngineReplica(
            url,
            key=key,
            model=settings.model,
            timeouts=timeouts,
            max_adapters=settings.max_cpu_loras,
            metrics=metrics,
            meter=meter,
        )
        for url in settings.llm_urls
    ]

"""What this process knows of each replica: whether it answers, how busy it is, why it is not used."""

from __future__ import annotations

import asyncio
import logging
import math
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Literal

from app.errors import EngineUnavailable, EngineUnreachable, InvalidInput
from app.generation.replica import EngineReplica, Served
from app.metrics import Metrics

log = logging.getLogger("kyujang.engine")

CHECK_TIMEOUT_S = 8
LOOK_TIMEOUT_S = 2

State = Literal["up", "unverified", "down"]


@dataclass(frozen=True, slots=True)
class ReplicaState:
    name: str
    state: State
    reason: str
    model: str | None
    context_tokens: int | None
    running: int
    adapters: int


@dataclass(eq=False)
class ReplicaHealth:
    replica: EngineReplica
    name: str
    metrics: Metrics
    # Unverified: not tried yet, or something failed since. Asked only where none is up.
    state: State = "unverified"
    reason: str = "not tried yet"
    starting: bool = True
    """Whether all that is known of it is that there is no connection yet."""
    served: Served | None = None
    running: int = 0
    quarantined: str | None = None
    """The reason why it is not asked, however well it completes a token."""
    wake: asyncio.Event = field(default_factory=asyncio.Event)
    """Set when it is to be probed at once."""
    probing: asyncio.Task[bool] | None = None
    done: float | None = None
    """What EngineLoad.done was at the last look."""
    worked_at: float = -math.inf
    """When it last completed a token or was seen to have gone on, by time.monotonic()."""

    @property
    def shown(self) -> ReplicaState:
        served = self.served
        model, tokens = (served.model, served.context_tokens) if served else (None, None)
        return ReplicaState(
            self.name, self.state, self.reason, model, tokens, self.running, len(self.replica.adapters.names)
        )

    @property
    def last_token_at(self) -> float:
        """When it was last seen to work, by time.monotonic()."""
        return max(self.worked_at, self.replica.last_event_at)

    @contextmanager
    def busy(self) -> Iterator[None]:
        """Count the block as a running request."""
        self.running += 1
        try:
            yield
        finally:
            self.running -= 1

    def suspect(self, error: EngineUnavailable) -> None:
        """After a fault: probe it at once, and until then ask it only where none is up."""
        self._learn(error)
        if self.state == "up":
            self._mark("unverified", error.detail)
        self.wake.set()

    def quarantine(self, reason: str | None) -> None:
        """Leave it out until the reason is withdrawn."""
        self.quarantined = reason
        self.wake.set()
        if reason is not None:
            self._mark("down", reason)

    def start_probe(self, others: Sequence[ReplicaHealth]) -> asyncio.Task[bool]:
        """Return the probe under way, else a new one: at most one at a time."""
        if self.probing is None or self.probing.done():
            self.probing = asyncio.create_task(self._probe(others))
        return self.probing

    async def _probe(self, others: Sequence[ReplicaHealth]) -> bool:
        """Complete a token, mark the replica by the outcome, and tell whether it is up."""
        started = time.monotonic()
        try:
            async with asyncio.timeout(CHECK_TIMEOUT_S):
                served = await self.replica.probe()
        except TimeoutError:
            # One that goes on answering others, or reads for them, is busy, not stuck.
            if self.replica.last_event_at > started or await self._reads():
                return True
            self.starting = False
            self._mark("down", f"no answer within {CHECK_TIMEOUT_S} s")
        except EngineUnavailable as error:
            self._learn(error)
            self._mark("down", error.detail)
        else:
            self.worked_at = time.monotonic()
            self._verify(served, next((each for each in others if each.state == "up" and each is not self), None))
        return self.state == "up"

    async def _reads(self) -> bool:
        """Tell whether a late token means a long prompt before it; mark it so that others are asked first.

        On a CPU one step over 2,048 tokens of a prompt takes longer than a probe waits, and its counters stand still
        meanwhile. So it counts as reading while it has requests, and for no longer than a first token may take after
        it was last seen to go on: one that hangs with a request is down then.
        """
        try:
            async with asyncio.timeout(LOOK_TIMEOUT_S):
                load = await self.replica.load()
        except (TimeoutError, EngineUnavailable, InvalidInput):
            return False
        now = time.monotonic()
        if self.done is not None and load.done != self.done:
            self.worked_at = now
        self.done = load.done
        if self.quarantined is not None or not (self.running or load.running):
            return False
        if self.served is None or now - self.last_token_at > self.replica.patience_s:
            return False
        self._mark("unverified", "busy reading a prompt")
        return True

    async def look(self) -> None:
        """Show what its vLLM says of itself; of one that does not answer nothing is shown. Suspect one that is gone."""
        shown: Mapping[str, float] = {}
        if self.state != "down":
            try:
                async with asyncio.timeout(LOOK_TIMEOUT_S):
                    shown = (await self.replica.load()).shown
            except EngineUnreachable as error:
                self.suspect(error)
            except (TimeoutError, EngineUnavailable, InvalidInput):
                pass
        self.metrics.show_engine(self.name, shown)

    def _learn(self, error: EngineUnavailable) -> None:
        self.starting = self.starting and isinstance(error, EngineUnreachable)

    def _verify(self, served: Served, other: ReplicaHealth | None) -> None:
        """Callers see one engine, so all that are up serve the same model."""
        self.starting = False
        if other is not None and other.served != served:
            theirs = _describe(other.served)
            self._mark("down", f"not used: it serves {_describe(served)}, {other.name} serves {theirs}")
        elif self.quarantined is not None:
            self._mark("down", self.quarantined)
        else:
            self.served = served
            self._mark("up", "ok")

    def _mark(self, state: State, reason: str) -> None:
        if self.state != state:
            level = logging.INFO if state == "up" else logging.WARNING
            log.log(level, "%s is %s", self.name, state, extra={"cause": reason})
        self.state, self.reason = state, reason
        self.metrics.engine_replica_up.labels(self.name).set(state == "up")


def _describe(served: Served | None) -> str:
    return f"{served.model} with {served.context_tokens} tokens" if served else "nothing"

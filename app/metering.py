"""Tells a meter of each call of an engine: before it, and what it took after it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Protocol
from uuid import UUID, uuid4


@dataclass(frozen=True, slots=True)
class EngineCall:
    """Without a tenant it is the service's own. `adapter` is as engines name it."""

    tenant: int | None
    most_prompt_tokens: int
    most_completion_tokens: int
    adapter: str | None = None
    id: UUID = field(default_factory=uuid4)


@dataclass(slots=True)
class TokenUsage:
    """What a call has taken so far."""

    prompt_tokens: int = 0
    completion_tokens: int = 0

    def see(self, event: Any) -> None:
        """Take over what an answer, or an event of one, says of it."""
        if said := event.get("usage"):
            self.prompt_tokens = int(said.get("prompt_tokens") or 0)
            self.completion_tokens = int(said.get("completion_tokens") or 0)


class CallMeter(Protocol):
    async def begin(self, call: EngineCall) -> None:
        """Raises Unavailable if a tenant's call cannot be noted."""

    async def settle(self, call: EngineCall, used: TokenUsage) -> None:
        """Count what it took. Raises nothing."""


class Unmetered:
    """For engines that are asked beside a service, such as one that is being started."""

    async def begin(self, call: EngineCall) -> None: ...

    async def settle(self, call: EngineCall, used: TokenUsage) -> None: ...

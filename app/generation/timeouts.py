"""How long an engine may take, and what to say when it takes longer."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from app.errors import EngineUnavailable


@dataclass(frozen=True, slots=True)
class Timeouts:
    """Seconds for a connection, for the first token or a short answer, from token to token, and for a whole answer."""

    connect_s: float
    first_token_s: float
    token_s: float
    answer_s: float

    @property
    def connect_reason(self) -> str:
        return _reason("took no connection within", self.connect_s, "CONNECT_TIMEOUT_S")

    def next_deadline(self, started: float, *, begun: bool) -> tuple[float, str]:
        """Return when to give up on the next token, by the event loop's clock, and the reason to give then."""
        if begun:
            now = asyncio.get_running_loop().time()
            next_token = (now + self.token_s, _reason("sent no token for", self.token_s, "TOKEN_TIMEOUT_S"))
        else:
            reason = _reason("sent nothing within", self.first_token_s, "FIRST_TOKEN_TIMEOUT_S")
            next_token = (started + self.first_token_s, reason)
        return min(next_token, self.last_deadline(started))

    def last_deadline(self, started: float) -> tuple[float, str]:
        """Return when to give up on the whole answer, and the reason to give then."""
        return started + self.answer_s, _reason("did not finish within", self.answer_s, "TIMEOUT_S")


@asynccontextmanager
async def until(deadline: float, reason: str) -> AsyncIterator[None]:
    """Cancel the block at the deadline. Raises EngineUnavailable with the reason then."""
    try:
        async with asyncio.timeout_at(deadline):
            yield
    except TimeoutError as error:
        raise EngineUnavailable(reason) from error


def _reason(what: str, seconds: float, setting: str) -> str:
    return f"The engine {what} {seconds:g} s (KYUJANG_LLM_{setting})."

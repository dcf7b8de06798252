"""Requests of a tenant that has too much under way: refused once with all that takes, then for a moment without.

A client that heeds `Retry-After` never meets the second. One that asks again at once would cost others the time to look
up its key, route its request and read its body each time, so its next answers wait, which costs nothing. One of them is
looked at now and then, and the others learn from it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from time import monotonic

from fastapi import Request
from starlette.types import ASGIApp, Receive, Scope, Send

from app.api.limit_headers import show
from app.api.problems import failure
from app.errors import TooManyRequests
from app.storage.allowances import LimitReached

REFUSED_FOR_S = 0.25
# A limit stays reached until its window slides. No longer, since the operator may raise it, or revoke the key.
LIMIT_REACHED_FOR_S = 2.0
WAIT_S = 1.0
# Each holds a connection; more are answered at once.
MAX_WAITING = 300
MAX_KEYS = 1000

Caller = tuple[bytes, str]


@dataclass(frozen=True, slots=True)
class Refused:
    """Why a caller was refused, when, until when it is refused again, and whether one was looked at since."""

    error: TooManyRequests
    at: float
    until: float
    looked_at: bool = False

    @classmethod
    def now(cls, error: TooManyRequests) -> Refused:
        at, known_for = monotonic(), REFUSED_FOR_S
        if isinstance(error, LimitReached):
            # Seconds of the database's clock, of which the first had begun.
            known_for = max(known_for, min(LIMIT_REACHED_FOR_S, error.allowed.reset_s - 1))
        return cls(error, at, at + known_for)

    def again(self) -> TooManyRequests:
        """Return what it is told now."""
        if isinstance(self.error, LimitReached):
            return self.error.later(monotonic() - self.at)
        return TooManyRequests("Too many requests of this tenant are under way, as it was told a moment ago.")


class Refusals:
    """Keys, and the paths at which they were refused a moment ago."""

    def __init__(self) -> None:
        self._refused: dict[Caller, Refused] = {}
        self._waiting = 0

    def note(self, request: Request, error: TooManyRequests) -> None:
        """Remember a request that was refused because of what else its tenant has under way."""
        caller = _caller(request.scope)
        if caller is None:
            return
        self._refused.pop(caller, None)
        self._refused[caller] = Refused.now(error)
        if len(self._refused) > MAX_KEYS:
            del self._refused[next(iter(self._refused))]

    def let_in(self, request: Request) -> None:
        """Forget the limit that such a request had reached, since this one was within all limits."""
        caller = _caller(request.scope)
        if caller in self._refused and isinstance(self._refused[caller].error, LimitReached):
            del self._refused[caller]

    def held(self, scope: Scope) -> Refused | None:
        """Return why the request is refused without a look at it, if it is."""
        caller = _caller(scope)
        refused = self._refused.get(caller) if caller is not None else None
        if caller is None or refused is None or monotonic() < refused.until:
            return refused
        if refused.looked_at:
            # It was neither let in nor refused so, and nor may the next be.
            del self._refused[caller]
        else:
            self._refused[caller] = replace(refused, until=monotonic() + REFUSED_FOR_S, looked_at=True)
        return None

    async def wait(self) -> None:
        """Wait before the answer, unless too many do."""
        if self._waiting < MAX_WAITING:
            self._waiting += 1
            try:
                await asyncio.sleep(WAIT_S)
            finally:
                self._waiting -= 1


@contextmanager
def noted(request: Request) -> Iterator[None]:
    """Remember a TooManyRequests that the block raises."""
    try:
        yield
    except TooManyRequests as error:
        request.app.state.refusals.note(request, error)
        raise


class RefusedAgain:
    def __init__(self, app: ASGIApp, *, refusals: Refusals) -> None:
        self._app = app
        self._refusals = refusals

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        held = self._refusals.held(scope) if scope["type"] == "http" else None
        if held is None:
            await self._app(scope, receive, send)
            return
        await self._refusals.wait()
        request, refused = Request(scope), held.again()
        if isinstance(refused, LimitReached):
            show(request, refused.allowed)
        await failure(request, refused)(scope, receive, send)


def _caller(scope: Scope) -> Caller | None:
    key: bytes | None = dict(scope["headers"]).get(b"authorization")
    return None if key is None else (key, scope["path"])

"""Requests of a tenant that has too much under way: refused once with all that takes, then for a moment without.

A client that heeds `Retry-After` never meets the second. One that asks again at once would cost others the time to look
up its key, route its request and read its body each time, so its next answers wait, which costs nothing.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from time import monotonic

from fastapi import Request
from starlette.types import ASGIApp, Receive, Scope, Send

from app.api.problems import failure
from app.errors import TooManyRequests

REFUSED_FOR_S = 0.25
WAIT_S = 1.0
# Each holds a connection; more are answered at once.
MAX_WAITING = 300
MAX_KEYS = 1000

Caller = tuple[bytes, str]


class Refusals:
    """Keys, and the paths at which they were refused a moment ago."""

    def __init__(self) -> None:
        self._until: dict[Caller, float] = {}
        self._waiting = 0

    def note(self, request: Request) -> None:
        """Remember a request that was refused because of what else its tenant has under way."""
        caller = _caller(request.scope)
        if caller is None:
            return
        self._until.pop(caller, None)
        self._until[caller] = monotonic() + REFUSED_FOR_S
        if len(self._until) > MAX_KEYS:
            del self._until[next(iter(self._until))]

    def hold(self, scope: Scope) -> bool:
        caller = _caller(scope)
        return caller is not None and self._until.get(caller, 0) > monotonic()

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
    except TooManyRequests:
        request.app.state.refusals.note(request)
        raise


class RefusedAgain:
    def __init__(self, app: ASGIApp, *, refusals: Refusals) -> None:
        self._app = app
        self._refusals = refusals

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or not self._refusals.hold(scope):
            await self._app(scope, receive, send)
            return
        await self._refusals.wait()
        refused = TooManyRequests("Too many requests of this tenant are under way, as it was told a moment ago.")
        await failure(Request(scope), refused)(scope, receive, send)


def _caller(scope: Scope) -> Caller | None:
    key: bytes | None = dict(scope["headers"]).get(b"authorization")
    return None if key is None else (key, scope["path"])

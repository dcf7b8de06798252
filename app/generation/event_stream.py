"""The server-sent events of a completion."""

from __future__ import annotations

import json
from collections import deque
from contextlib import suppress
from typing import Any

import httpx

from app.errors import EngineNotBegun, EngineUnavailable
from app.generation.faults import BROKE_OFF, raise_for_event, transport_faults
from app.generation.timeouts import Timeouts, until


class EventStream:
    """Iterates over the JSON of each event up to [DONE]; to be closed.

    Plain objects nest where generators would have to be closed one by one. Raises EngineUnavailable, or InvalidInput
    for what the engine refuses; `pointer` is to what may be refused.
    """

    def __init__(self, response: httpx.Response, timeouts: Timeouts, started: float, pointer: str) -> None:
        self._response = response
        self._chunks = response.aiter_bytes()
        self._timeouts = timeouts
        self._started = started
        self._pointer = pointer
        self._payloads: deque[bytes] = deque()
        self._line = b""
        self._first: deque[Any] = deque()
        self._begun = False
        self._done = False

    async def begin(self) -> None:
        """Wait for the first event. Raises EngineNotBegun too."""
        with suppress(StopAsyncIteration):
            self._first.append(await self._read())
        self._begun = True

    def __aiter__(self) -> EventStream:
        return self

    async def __anext__(self) -> Any:
        if self._first:
            return self._first.popleft()
        try:
            return await self._read()
        except EngineNotBegun as error:
            raise EngineUnavailable(error.detail) from error

    async def aclose(self) -> None:
        await self._response.aclose()

    async def _read(self) -> Any:
        """What follows [DONE] is read too: the connection can be used again then."""
        with transport_faults(self._timeouts):
            while True:
                async with until(*self._timeouts.next_deadline(self._started, begun=self._begun)):
                    payload = await self._payload()
                if payload is None:
                    if not self._done:
                        raise EngineNotBegun(BROKE_OFF)
                    raise StopAsyncIteration
                self._done = self._done or payload == b"[DONE]"
                if not self._done:
                    event = json.loads(payload)
                    raise_for_event(event, payload, self._pointer)
                    return event

    async def _payload(self) -> bytes | None:
        """Lines end at a line feed alone: httpx's own also end at U+0085 and U+2028, which JSON may hold."""
        while not self._payloads:
            chunk = await anext(self._chunks, None)
            if chunk is None:
                return None
            *lines, self._line = (self._line + chunk).split(b"\n")
            self._payloads += [line.removeprefix(b"data:").strip() for line in lines if line.startswith(b"data:")]
        return self._payloads.popleft()

"""Server-sent events (WHATWG HTML, "Server-sent events"), and callers that hang up."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Coroutine
from dataclasses import dataclass
from typing import Any, TypeVar

from fastapi import Request
from fastapi.responses import StreamingResponse

from app.api.problems import HungUp, failure

HEARTBEAT_S = 15
HANG_UP_S = 0.5
# A proxy must pass each event on at once.
HEADERS = {"Cache-Control": "no-cache", "X-Accel-Buffering": "no"}

Event = tuple[str, Any]
T = TypeVar("T")

_ending: set[asyncio.Future[Any]] = set()


@dataclass(frozen=True, slots=True)
class Format:
    """How (number, name, JSON value) is written, and what ends a stream that nothing broke off."""

    line: Callable[[int, str, Any], str]
    end: str = ""


def _numbered(number: int, name: str, value: Any) -> str:
    return f"event: {name}\nid: {number}\n{_data(number, name, value)}"


def _data(number: int, name: str, value: Any) -> str:
    return f"data: {json.dumps(value, ensure_ascii=False)}\n\n"


NUMBERED = Format(_numbered)
OPENAI = Format(_data, end="data: [DONE]\n\n")


async def event_stream(request: Request, events: AsyncGenerator[Event], form: Format = NUMBERED) -> StreamingResponse:
    """Of (name, JSON value), each an event. Raises what the first of them raises.

    What goes wrong after the first becomes an `error` event, which is the last. A caller that hangs up closes `events`.
    """
    first = await while_connected(request, anext(events))
    return StreamingResponse(_lines(request, first, events, form), media_type="text/event-stream", headers=HEADERS)


async def _lines(request: Request, first: Event, events: AsyncGenerator[Event], form: Format) -> AsyncIterator[str]:
    number = 1
    upcoming: asyncio.Future[Event] | None = None
    try:
        yield form.line(number, *first)
        upcoming = asyncio.ensure_future(anext(events))
        while True:
            await asyncio.wait({upcoming}, timeout=HEARTBEAT_S)
            if not upcoming.done():
                yield ": still there\n\n"
                continue
            number += 1
            try:
                yield form.line(number, *upcoming.result())
            except StopAsyncIteration:
                if form.end:
                    yield form.end
                return
            except Exception as error:
                yield form.line(number, "error", json.loads(bytes(failure(request, error).body)))
                return
            upcoming = asyncio.ensure_future(anext(events))
    finally:
        _close(upcoming, events)


async def while_connected(request: Request, work: Coroutine[Any, Any, T]) -> T:
    """Cancel the work when the caller hangs up, so that nothing is generated in vain. Raises HungUp then."""
    task = asyncio.ensure_future(work)
    try:
        while True:
            await asyncio.wait({task}, timeout=HANG_UP_S)
            if task.done():
                return task.result()
            if await request.is_disconnected():
                raise HungUp
    finally:
        _cancel(task)


def _close(upcoming: asyncio.Future[Event] | None, events: AsyncGenerator[Event]) -> None:
    """An event that has come and is not read leaves `events` open, and with it the engine's request."""
    if upcoming is not None and not upcoming.done():
        _cancel(upcoming)
        return
    closing = asyncio.ensure_future(events.aclose())
    _ending.add(closing)
    closing.add_done_callback(_ending.discard)


def _cancel(task: asyncio.Future[Any]) -> None:
    """Without waiting for its end: a caller's hang-up cancels what waits here again and again, and with it the task,
    which then would not come to close its connection to the engine."""
    if not task.done():
        _ending.add(task)
        task.add_done_callback(_ending.discard)
        task.cancel()

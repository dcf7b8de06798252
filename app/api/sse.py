"""Server-sent events (WHATWG HTML, "Server-sent events"), and callers that hang up."""

from __future__ import annotations

import asyncio
import itertools
import json
import time
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Coroutine, Iterable
from contextlib import AbstractContextManager, nullcontext, suppress
from dataclasses import dataclass
from functools import partial
from typing import Any, ParamSpec, TypeVar

from fastapi import Request
from fastapi.responses import StreamingResponse
from starlette.types import Receive, Scope, Send

from app.api.problems import HungUp, failure
from app.errors import DatabaseUnavailable

HEARTBEAT_S = 15
# A proxy must pass each event on at once.
HEADERS = {"Cache-Control": "no-cache", "X-Accel-Buffering": "no"}

Event = tuple[str, Any]
P = ParamSpec("P")
T = TypeVar("T")

_ending: set[asyncio.Future[Any]] = set()


@dataclass(frozen=True, slots=True)
class Format:
    """How (number, name, JSON value) is written, and what ends a stream that did not break off."""

    line: Callable[[int, str, Any], str]
    end: str = ""


def _numbered(number: int, name: str, value: Any) -> str:
    return f"event: {name}\nid: {number}\n{_data(number, name, value)}"


def _data(number: int, name: str, value: Any) -> str:
    return f"data: {json.dumps(value, ensure_ascii=False)}\n\n"


NUMBERED = Format(_numbered)
OPENAI = Format(_data, end="data: [DONE]\n\n")
NAMED = Format(lambda number, name, value: f"event: {name}\n{_data(number, name, value)}")


Within = Callable[[], AbstractContextManager[None]]


class EventStream(StreamingResponse):
    """Awaits the first event before the status is sent. Raises what goes wrong until then, in the terms of `within`."""

    def __init__(
        self, first: Callable[[], Coroutine[Any, Any, None]], lines: AsyncIterator[str], within: Within
    ) -> None:
        self._first = first
        self._within = within
        super().__init__(lines, media_type="text/event-stream", headers=HEADERS)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        with self._within():
            await self._first()
        await super().__call__(scope, receive, send)


def event_stream(
    request: Request,
    source: AsyncGenerator[T],
    events_of: Callable[[T], Iterable[Event]],
    form: Format = NUMBERED,
    within: Within = nullcontext,
) -> EventStream:
    """Send the events of each item of `source`.

    What goes wrong after the first becomes an `error` event, which is the last; a key that is no longer valid is seen
    with the next heartbeat. A caller that hangs up closes `source`.
    """
    events: list[Event] = []
    first = partial(_await_first, request, events, source, events_of)
    return EventStream(first, _lines(request, events, source, events_of, form), within)


async def _await_first(
    request: Request, events: list[Event], source: AsyncGenerator[T], events_of: Callable[[T], Iterable[Event]]
) -> None:
    while not events:
        events += events_of(await while_connected(request, anext, source))


def unchanged(event: Event) -> Iterable[Event]:
    """For a source of events."""
    return (event,)


async def _lines(
    request: Request,
    events: Iterable[Event],
    source: AsyncGenerator[T],
    events_of: Callable[[T], Iterable[Event]],
    form: Format,
) -> AsyncIterator[str]:
    """Write these events, which have come, and those of the rest of `source`."""
    numbers = itertools.count(1)
    upcoming: asyncio.Future[T] | None = None
    checked = time.monotonic()
    try:
        while True:
            for event in events:
                yield form.line(next(numbers), *event)
            upcoming = asyncio.ensure_future(anext(source))
            while not upcoming.done():
                left = checked + HEARTBEAT_S - time.monotonic()
                if left <= 0:
                    if request.state.check_key is not None:
                        await request.state.check_key()
                    checked = time.monotonic()
                elif not (await asyncio.wait({upcoming}, timeout=left))[0]:
                    yield ": still there\n\n"
            events = events_of(upcoming.result())
    except StopAsyncIteration:
        if form.end:
            yield form.end
    except Exception as error:
        yield form.line(next(numbers), "error", json.loads(bytes(failure(request, error).body)))
    finally:
        _close(upcoming, source)


async def while_connected(request: Request, work: Callable[P, Awaitable[T]], *args: P.args, **options: P.kwargs) -> T:
    """Cancel the work when the caller hangs up, so that nothing is generated in vain. Raises HungUp then, and
    Unauthorized soon after the caller's key is no longer valid: revoked, or its tenant is being deleted."""
    task = asyncio.ensure_future(work(*args, **options))
    hung_up = asyncio.ensure_future(_hung_up(request))
    try:
        while not (await asyncio.wait({task, hung_up}, timeout=HEARTBEAT_S, return_when="FIRST_COMPLETED"))[0]:
            if request.state.check_key is not None:
                with suppress(DatabaseUnavailable):
                    await request.state.check_key()
        if task.done():
            return task.result()
        hung_up.result()
        raise HungUp
    finally:
        hung_up.cancel()
        _cancel(task)


async def _hung_up(request: Request) -> None:
    """Wait until the caller hangs up. To be told costs nothing; Starlette's own way is to ask again and again."""
    while (await request.receive())["type"] != "http.disconnect":
        pass


def _close(upcoming: asyncio.Future[Any] | None, source: AsyncGenerator[Any]) -> None:
    """An item that has come and is not read leaves `source` open, and with it the engine's request."""
    if upcoming is not None and not upcoming.done():
        _cancel(upcoming)
        return
    closing = asyncio.ensure_future(source.aclose())
    _ending.add(closing)
    closing.add_done_callback(_ending.discard)


def _cancel(task: asyncio.Future[Any]) -> None:
    """Do not wait for its end: a caller's hang-up cancels what waits here again and again, and with it the task, which
    then would not come to close its connection to the engine."""
    if not task.done():
        _ending.add(task)
        task.add_done_callback(_ending.discard)
        task.cancel()

"""Server-sent events (WHATWG HTML, "Server-sent events"): one line of JSON each, numbered, with a heartbeat."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

from fastapi import Request
from fastapi.responses import StreamingResponse

from app.api.problems import problem
from app.errors import KyujangError

HEARTBEAT_S = 15
# A proxy must pass each event on at once.
HEADERS = {"Cache-Control": "no-cache", "X-Accel-Buffering": "no"}

Event = tuple[str, Any]


def event_stream(request: Request, events: AsyncIterator[Event]) -> StreamingResponse:
    """Of (name, JSON value). A KyujangError on the way becomes an `error` event, which is the last."""
    return StreamingResponse(_lines(request, events), media_type="text/event-stream", headers=HEADERS)


async def _lines(request: Request, events: AsyncIterator[Event]) -> AsyncIterator[str]:
    number = 0
    upcoming = asyncio.ensure_future(anext(events))
    try:
        while True:
            await asyncio.wait({upcoming}, timeout=HEARTBEAT_S)
            if not upcoming.done():
                yield ": still there\n\n"
                continue
            try:
                name, value = upcoming.result()
            except StopAsyncIteration:
                return
            except KyujangError as error:
                body = problem(request, error.status, error.code, error.detail).body
                name, value = "error", json.loads(bytes(body))
            number += 1
            yield f"event: {name}\nid: {number}\ndata: {json.dumps(value, ensure_ascii=False)}\n\n"
            if name == "error":
                return
            upcoming = asyncio.ensure_future(anext(events))
    finally:
        upcoming.cancel()

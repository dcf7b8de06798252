"""What a stream of events holds open, it closes, wherever its caller leaves it."""

from __future__ import annotations

import asyncio

import pytest
from starlette.requests import Request

from app.api.sse import event_stream, unchanged


@pytest.mark.parametrize("left", ["after the first", "with one under way", "with one at hand"])
async def test_a_stream_is_closed_wherever_it_is_left(left):
    closed = asyncio.Event()

    async def events():
        try:
            yield "first", {}
            if left == "with one under way":
                await asyncio.Event().wait()
            yield "second", {}
            yield "third", {}
        finally:
            closed.set()

    held = events()
    stream = event_stream(Request({"type": "http"}, asyncio.Event().wait), held, unchanged)
    await stream._first()
    lines = stream.body_iterator
    await anext(lines)
    if left == "with one under way":
        reading = asyncio.ensure_future(anext(lines))
        await asyncio.sleep(0.01)
        reading.cancel()
    else:
        if left == "with one at hand":
            await anext(lines)
            # The third comes without being asked for.
            await asyncio.sleep(0.01)
        await lines.aclose()
    async with asyncio.timeout(5):
        await closed.wait()

"""What python -m bench.console counts; a browser is not started."""

from __future__ import annotations

import asyncio
import json

from bench.console.measures import _frames, _points
from bench.console.served import TOKENS, _pieces


def test_frames_are_counted_by_the_second():
    assert _frames([10.0] * 99 + [1010.0], [60.0, 1000.0]) == ["50", "10 ms", "1010 ms", "2", "1000 ms"]


def test_the_engine_waits_before_each_token_and_ends_once():
    pieces = _pieces([asyncio.Event() for _ in range(TOKENS)])
    assert [isinstance(each, asyncio.Event) for each in pieces[: 2 * TOKENS]] == [True, False] * TOKENS
    told = [json.loads(each.split("\n")[0].removeprefix("data: ")) for each in pieces if isinstance(each, str)]
    assert [each["choices"][0]["finish_reason"] for each in told[:-1]] == [None] * (TOKENS - 1) + ["stop"]
    assert told[-1]["usage"]["completion_tokens"] == TOKENS


def test_the_made_map_has_as_many_of_each():
    points = _points()["points"]
    assert {len(each) for each in points.values()} == {50_000}

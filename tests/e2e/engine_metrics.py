"""What vLLM says of itself, read past the service on the engine's own socket."""

from __future__ import annotations

import re
import time
from collections.abc import Sequence

import psycopg

from app.up.owner import running_owner_url
from tests.stack import Stack


def metric(stack: Stack, name: str) -> float:
    with stack.engine() as engine:
        text = engine.get("/metrics").text
    counts = re.findall(rf"^vllm:{name}\{{.*\}} ([\d.e+]+)$", text, re.MULTILINE)
    assert counts, text[:500]
    return sum(map(float, counts))


def until_running(stack: Stack, count: int) -> bool:
    """Whether vLLM comes to work on this many requests."""
    deadline = time.monotonic() + 60
    while metric(stack, "num_requests_running") != count:
        if time.monotonic() > deadline:
            return False
        time.sleep(0.1)
    return True


def counters(stack: Stack) -> list[int]:
    """The tokens of all prompts, and all that were generated."""
    return [int(metric(stack, name)) for name in ("prompt_tokens_total", "generation_tokens_total")]


def metered(stack: Stack) -> tuple[list[int], Sequence[int]]:
    """The engine's counters and the service's own sums of them, at a moment when no call is under way."""
    query = """
        select (select count(*) from engine_calls)::integer,
               (select coalesce(sum(prompt_tokens), 0)::integer from usage_days),
               (select coalesce(sum(completion_tokens), 0)::integer from usage_days)
    """
    deadline = time.monotonic() + 60
    with psycopg.connect(running_owner_url(stack.home / "postgres"), autocommit=True) as owner:
        while time.monotonic() < deadline:
            before, row = counters(stack), owner.execute(query).fetchone()
            assert row is not None
            under_way, *sums = row
            if not under_way and counters(stack) == before:
                return before, sums
            time.sleep(0.1)
    raise AssertionError("calls of the engine were under way for a minute")

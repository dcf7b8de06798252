"""What vLLM says of itself, read past the service on the engine's own socket."""

from __future__ import annotations

import re
import time

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

"""Milliseconds of each named step of an answer."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

from app import tracing

STEPS = ("embed", "search", "rerank", "prompt", "first_token", "generate", "total")


class StepTimer:
    def __init__(self) -> None:
        self._started = time.perf_counter()
        self.ms: dict[str, float] = dict.fromkeys(STEPS, 0.0)

    @contextmanager
    def step(self, name: str, *, yields: bool = False) -> Iterator[None]:
        """Time the block, with what this step has taken before; `yields` where it yields to a caller."""
        started = time.perf_counter()
        with tracing.beside(name) if yields else tracing.span(name):
            yield
        self.ms[name] = round(self.ms.get(name, 0) + milliseconds(time.perf_counter() - started), 2)

    def stop(self) -> dict[str, float]:
        self.ms["total"] = milliseconds(time.perf_counter() - self._started)
        return self.ms


def milliseconds(seconds: float) -> float:
    return round(seconds * 1000, 2)

"""What a measurement tells while it runs; the results alone go to stdout."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager


def say(text: str) -> None:
    print(f"{time.strftime('%H:%M:%S')} {text}", file=sys.stderr, flush=True)


class Stopwatch:
    def __init__(self, name: str) -> None:
        self.seconds: dict[str, float] = {}
        self._name = name

    @contextmanager
    def step(self, name: str) -> Iterator[None]:
        started = time.perf_counter()
        yield
        self.seconds[name] = round(time.perf_counter() - started, 2)
        say(f"{self._name}: {name} {self.seconds[name]} s")

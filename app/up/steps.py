"""How long the steps of a start took, also of those beside one another. Standard library only."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager


class Steps:
    def __init__(self) -> None:
        self._began = time.monotonic()
        self._measured: list[tuple[str, float, float]] = []

    @contextmanager
    def measured(self, name: str) -> Iterator[None]:
        """Measure the block; one that raises is no step that was done."""
        began = time.monotonic()
        yield
        self._measured.append((name, began - self._began, time.monotonic() - self._began))

    def table(self) -> str:
        """Return the steps in the order of their beginning, in seconds since this was made."""
        lines = [f"{'from':>7} {'to':>7}  seconds"]
        for name, began, ended in sorted(self._measured, key=lambda step: step[1]):
            lines.append(f"{began:7.1f} {ended:7.1f}  {name}")
        return "\n".join(lines)

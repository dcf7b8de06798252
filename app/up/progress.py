"""Numbered stages on a terminal. Standard library only: it runs before anything is installed."""

from __future__ import annotations

import contextlib
import sys
import time
from typing import TextIO

from app.terminal import visible

STAGES = 6
QUIET_S = 15
INDENT = " " * 6
WIDTH = 110


class Progress:
    def __init__(self, *, first: int = 1, total: int = STAGES, out: TextIO | None = None) -> None:
        self._number = first - 1
        self._total = total
        self._out = out or sys.stdout
        self._live = self._out.isatty()
        self._started = self._last = time.monotonic()

    @property
    def seconds(self) -> float:
        return time.monotonic() - self._started

    def start(self, title: str, doing: str) -> None:
        self._stage(f"{title}: {doing} …")

    def skip(self, title: str, why: str) -> None:
        self._stage(f"{title}: {why}")

    def _stage(self, text: str) -> None:
        self._number += 1
        self._started = self._last = time.monotonic()
        self._line(f"[{self._number}/{self._total}] {text}")

    def tick(self, detail: str = "") -> None:
        """Show that it continues: at every call on a terminal, every 15 seconds in a log."""
        now = time.monotonic()
        text = f"{INDENT}{self.seconds:4.0f} s  {detail}"[:WIDTH]
        if self._live:
            self._write(f"\r\x1b[2K{visible(text)}")
        elif now - self._last >= QUIET_S:
            self._last = now
            self._line(text.rstrip())

    def done(self, detail: str = "done") -> None:
        self.note(f"{detail} ({self.seconds:.1f} s)")

    def note(self, text: str) -> None:
        for line in text.splitlines():
            self._line(INDENT + line)

    def plain(self, text: str) -> None:
        self._line(text)

    def _line(self, text: str) -> None:
        self._write(("\r\x1b[2K" if self._live else "") + visible(text) + "\n")

    def _write(self, text: str) -> None:
        # A closed terminal must not keep us from stopping what we started.
        with contextlib.suppress(OSError):
            self._out.write(text)
            self._out.flush()

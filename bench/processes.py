"""Memory and processor time of processes, from /proc."""

from __future__ import annotations

import os
import re
import threading
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Self

EVERY_S = 0.2
TICKS = os.sysconf("SC_CLK_TCK")
GONE = (FileNotFoundError, ProcessLookupError)


def tree(pid: int) -> list[int]:
    """A process and what it has started."""
    found = [pid]
    for each in found:
        with suppress(*GONE):
            for children in Path(f"/proc/{each}/task").glob("*/children"):
                found += [int(child) for child in children.read_text().split()]
    return found


def resident_mb(pid: int) -> float:
    return _status_kb(pid, "VmRSS") / 1024


def peak_mb(pid: int) -> float:
    return _status_kb(pid, "VmHWM") / 1024


def forget_peak(pid: int) -> None:
    Path(f"/proc/{pid}/clear_refs").write_text("5")


def shared_out_mb(pid: int) -> float:
    """What several processes hold together is counted once, in parts: PostgreSQL's buffers are."""
    return sum(_kb(Path(f"/proc/{each}/smaps_rollup"), "Pss") for each in tree(pid)) / 1024


def cpu_seconds(pid: int) -> float:
    """Of the tree, those included that have ended."""
    total = 0
    for each in tree(pid):
        with suppress(*GONE):
            fields = Path(f"/proc/{each}/stat").read_text().rpartition(")")[2].split()
            total += sum(map(int, fields[11:15]))
    return total / TICKS


class Watch:
    """The largest memory of each (of its trees together) while it is open, looked at five times a second."""

    def __init__(self, roots: Mapping[str, Sequence[int]], *, shared: str) -> None:
        """`shared` is the one whose processes share most of what they hold."""
        self.peaks = dict.fromkeys(roots, 0.0)
        self._roots, self._shared = roots, shared
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()
        self._thread.join()

    def _look(self) -> None:
        while not self._stop.wait(EVERY_S):
            for name, pids in self._roots.items():
                held = shared_out_mb if name == self._shared else _held_mb
                self.peaks[name] = max(self.peaks[name], sum(map(held, pids)))


def _held_mb(pid: int) -> float:
    return sum(map(resident_mb, tree(pid)))


def _status_kb(pid: int, what: str) -> int:
    return _kb(Path(f"/proc/{pid}/status"), what)


def _kb(file: Path, what: str) -> int:
    with suppress(*GONE):
        found = re.search(rf"^{what}:\s+(\d+) kB", file.read_text(), re.MULTILINE)
        return int(found[1]) if found else 0
    return 0

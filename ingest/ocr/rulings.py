"""Finds the ruled lines of a page: what stays of its ink when shorter strokes are taken away."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np

from ingest.ocr.sheet import Ink

# In inches. No stroke of a letter is so long; a line between two cells of one row may be short.
MIN_LEVEL, MIN_UPRIGHT = 0.5, 0.18
# Of a line, so much has to be ink: scans break lines.
SOLID = 0.92
MAX_THICK = 0.06
JOINED = 0.08


@dataclass(slots=True)
class Ruling:
    """A line from `start` to `stop` along its direction, at `low` to `high` across it."""

    start: int
    stop: int
    low: int
    high: int

    @property
    def at(self) -> float:
        return (self.low + self.high) / 2


def level_and_upright(ink: Ink, dpi: int) -> tuple[list[Ruling], list[Ruling]]:
    return _rulings(ink, dpi, MIN_LEVEL), _rulings(ink.T, dpi, MIN_UPRIGHT)


def _rulings(ink: Ink, dpi: int, min_inches: float) -> list[Ruling]:
    """Return the lines along the rows of `ink`."""
    length, thick = round(min_inches * dpi), max(2, round(MAX_THICK * dpi))
    thickened = ink.copy()
    thickened[1:] |= ink[:-1]
    thickened[:-1] |= ink[1:]
    found = [each for each in _joined(_runs(thickened, length)) if each.high - each.low <= thick]
    return list(_continued(found, round(JOINED * dpi)))


def _runs(ink: Ink, length: int) -> Iterator[Ruling]:
    """Yield the runs of each row that are at least so long and nearly without a break."""
    height, width = ink.shape
    if width <= length:
        return
    total = np.zeros((height, width + 1), np.int32)
    np.cumsum(ink, axis=1, out=total[:, 1:])
    full = (total[:, length:] - total[:, :-length]) >= SOLID * length
    for row in np.flatnonzero(full.any(axis=1)):
        edges = np.flatnonzero(np.diff(np.concatenate(([False], full[row], [False])).astype(np.int8)))
        for start, stop in zip(edges[::2], edges[1::2], strict=True):
            yield Ruling(int(start), int(stop) + length - 1, int(row), int(row) + 1)


def _joined(runs: Iterable[Ruling]) -> list[Ruling]:
    """Join runs of neighbouring rows that overlap."""
    done: list[Ruling] = []
    open_: list[Ruling] = []
    for run in runs:
        still = [each for each in open_ if each.high >= run.low]
        done += [each for each in open_ if each.high < run.low]
        open_ = still
        touching = [each for each in open_ if each.start < run.stop and run.start < each.stop]
        for each in touching[1:]:
            open_.remove(each)
        if touching:
            first = touching[0]
            first.start = min([run.start, *(each.start for each in touching)])
            first.stop = max([run.stop, *(each.stop for each in touching)])
            first.low = min(each.low for each in touching)
            first.high = run.high
        else:
            open_.append(run)
    return done + open_


def _continued(lines: list[Ruling], gap: int) -> Iterator[Ruling]:
    """Join lines that go on after a gap, or a little higher or lower: skew and dirt break them."""
    lines = sorted(lines, key=lambda each: each.start)
    while lines:
        line = lines.pop(0)
        for other in list(lines):
            if other.start - line.stop <= gap and abs(other.at - line.at) <= gap / 2:
                line.stop = max(line.stop, other.stop)
                line.low, line.high = min(line.low, other.low), max(line.high, other.high)
                lines.remove(other)
        yield line

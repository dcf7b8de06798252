"""Bands of a page: what stands side by side, and the white space between."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from operator import attrgetter, itemgetter
from statistics import median

from ingest.loading.parsers.pdf.lines import has_leader, lines_of
from ingest.loading.parsers.pdf.tables import Table
from ingest.loading.parsers.pdf.words import Word

Item = Word | Table
Gap = tuple[float, float]

LEFT, TOP, BOTTOM = map(attrgetter, ("x0", "top", "bottom"))
EDGE = 1e6
# Of the height of the text.
MIN_GAP = 0.65
TALL = 1.6
OVERLAP = 0.1
ROW = 0.7
ONE_LINE = 1.2
RARELY = 0.2


@dataclass(slots=True)
class Band:
    items: list[Item]
    gaps: list[Gap]
    x0: float
    x1: float
    top: float
    bottom: float
    height: float
    """That of its text."""
    tall: bool
    """Whether it holds more than one line, as columns do whose lines do not stand at the same height."""
    group: int
    """Bands of one group overlap a little; between groups there is a height at which nothing stands."""

    @property
    def free(self) -> list[Gap]:
        return [(-EDGE, self.x0), *self.gaps, (self.x1, EDGE)]


def bands_of(items: Sequence[Item], angle: int) -> list[Band]:
    """Part the items wherever nothing stands between two heights."""
    groups: list[list[Item]] = []
    end = 0.0
    for top, bottom, item in sorted(map(_core, items), key=itemgetter(0)):
        if groups and top < end:
            groups[-1].append(item)
            end = bottom if bottom > end else end
        else:
            groups.append([item])
            end = bottom
    return [_band(part, angle, number) for number, group in enumerate(groups) for part in _as_rows(group)]


def _as_rows(items: list[Item]) -> list[list[Item]]:
    """Part lines whose boxes overlap a little; lines of columns that stand at other heights stay together."""
    words = [item for item in items if isinstance(item, Word)]
    if len(words) < len(items) or _is_one_line(words):
        return [items]
    lines = lines_of(words)
    middles = [(line.top + line.bottom) / 2 for line in lines]
    height = median(word.height for word in words)
    apart = all(after - before > ROW * height for before, after in pairwise(middles))
    return [list(line.words) for line in lines] if apart else [items]


def _is_one_line(words: Sequence[Word]) -> bool:
    height: float = max(map(BOTTOM, words)) - min(map(TOP, words))
    return height < ONE_LINE * max(word.height for word in words)


def _core(item: Item) -> tuple[float, float, Item]:
    """Return where the inner part of the item begins and ends, and the item."""
    edge = OVERLAP * item.height if isinstance(item, Word) else 0
    return item.top + edge, item.bottom - edge, item


def _band(items: list[Item], angle: int, group: int) -> Band:
    heights = [item.height for item in items if isinstance(item, Word) and item.style.angle == angle]
    height = median(heights) if heights else 10.0
    top, bottom = min(map(TOP, items)), max(map(BOTTOM, items))
    lines = bottom - top > TALL * max(heights, default=0.0)
    gaps, x0, x1 = _gaps(items, MIN_GAP * height)
    if gaps and has_leader(item for item in items if isinstance(item, Word)):
        gaps = []
    return Band(items, gaps, x0, x1, top, bottom, height, lines, group)


def _gaps(items: Sequence[Item], narrowest: float) -> tuple[list[Gap], float, float]:
    ordered = sorted(items, key=LEFT)
    gaps: list[Gap] = []
    end = ordered[0].x1
    for item in ordered[1:]:
        if item.x0 - end >= narrowest:
            gaps.append((end, item.x0))
        end = item.x1 if item.x1 > end else end
    return gaps, ordered[0].x0, end


def shared(gaps: Sequence[Gap], others: Sequence[Gap], narrowest: float) -> list[Gap]:
    """Return where both are white."""
    found: list[Gap] = []
    i = j = 0
    while i < len(gaps) and j < len(others):
        start, end = max(gaps[i][0], others[j][0]), min(gaps[i][1], others[j][1])
        if end - start >= narrowest:
            found.append((start, end))
        if gaps[i][1] < others[j][1]:
            i += 1
        else:
            j += 1
    return found


def columns_of(items: Sequence[Item], gutters: Sequence[Gap]) -> list[list[Item]]:
    middles = [(start + end) / 2 for start, end in gutters]
    columns: list[list[Item]] = [[] for _ in range(len(gutters) + 1)]
    for item in items:
        columns[sum(middle < (item.x0 + item.x1) / 2 for middle in middles)].append(item)
    return columns


def segments(band: Band) -> Iterator[tuple[list[Word], float, float]]:
    """Yield the words that no wide gap parts, with where they begin and end."""
    starts = [gap[1] for gap in band.gaps]
    parts: list[list[Word]] = [[] for _ in range(len(starts) + 1)]
    for item in band.items:
        if isinstance(item, Word):
            parts[sum(start <= item.x0 for start in starts)].append(item)
    return ((part, min(w.x0 for w in part), max(w.x1 for w in part)) for part in parts if part)


def usual_gaps(bands: Sequence[Band], narrowest: float) -> list[Gap]:
    """Return the white space that most of the bands share: a title over two columns may cross it."""
    edges: list[tuple[float, int]] = []
    for band in bands:
        inner = [band.x0, *(edge for gap in band.gaps for edge in gap), band.x1]
        edges += [(x, 1) for x in inner[::2]] + [(x, -1) for x in inner[1::2]]
    found: list[Gap] = []
    covering, start, most = 0, -EDGE, max(int(len(bands) > 2), RARELY * len(bands))
    for x, step in sorted(edges):
        if covering <= most < covering + step:
            found.append((start, x))
        covering += step
        if covering <= most < covering - step:
            start = x
    return [gap for gap in found[1:] if gap[1] - gap[0] >= narrowest]


def distances(bands: Sequence[Band]) -> Iterator[float]:
    return (after.top - before.bottom for before, after in pairwise(bands))

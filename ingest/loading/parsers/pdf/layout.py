"""Puts what stands on a page in reading order: columns one after the other, tables row by row."""

from __future__ import annotations

import re
from collections.abc import Sequence
from statistics import median

from ingest.loading.parsers.pdf.bands import (
    Band,
    Gap,
    Item,
    bands_of,
    columns_of,
    distances,
    segments,
    shared,
    usual_gaps,
)
from ingest.loading.parsers.pdf.habits import HANGUL
from ingest.loading.parsers.pdf.lines import Line, line_of, lines_of
from ingest.loading.parsers.pdf.tables import Cell, Table
from ingest.loading.parsers.pdf.words import Word

Region = list[Line] | Table
"""A column of lines, or a table."""

MAX_DEPTH = 20
# Of the height of the text.
MIN_GUTTER = 0.5
CHANCE = {2: 2.4, 3: 1.8}
MAX_DISTANCE = 3.0
# What a column of running text looks like: long lines that mostly end near its right edge.
LONG_LINE = 20
NEAR_EDGE = 0.85
MOSTLY = 0.5
# A row that is nearer than this share of the usual distance goes on with the row above.
GOES_ON = 0.6
CLOSE = 0.3
# In points.
FURTHER = 2.0
# Narrower gutters than this share of the widest part the columns of a table in a column.
WIDE = 0.6

MARKER = re.compile(r"(?:[•·∙▪◦●○■□◆◇▶►➢✓※\-–—*]|\(?(?:\d{1,3}|[a-zA-Z]|[ivxIVX]{1,5}|[가-힣])[.)]|[①-⑳])")
NUMBER = re.compile(r"\d+")


def arrange(items: Sequence[Item], angle: int, depth: int = 0) -> list[Region]:
    return arranged(bands_of(items, angle), angle, depth)


def arranged(bands: Sequence[Band], angle: int, depth: int = 0) -> list[Region]:
    """Return what the bands of some items hold in reading order."""
    regions: list[Region] = []
    start = 0
    while start < len(bands):
        end, gutters = _run(bands, start)
        if gutters and depth < MAX_DEPTH:
            _add_run(regions, bands[start:end], gutters, angle, depth)
        else:
            end = start + 1
            _add_band(regions, bands[start])
        start = end
    return regions


def _run(bands: Sequence[Band], start: int) -> tuple[int, list[Gap]]:
    """Return where the bands end that share white space from top to bottom, and that space."""
    gutters, end = bands[start].gaps, start + 1
    narrowest = MIN_GUTTER * bands[start].height
    while gutters and end < len(bands):
        band = bands[end]
        common = shared(gutters, band.free, narrowest)
        if not common or band.top - bands[end - 1].bottom > MAX_DISTANCE * band.height:
            break
        if end - start > 1 and _begins_another(bands[end - 2 : end + 2]):
            break
        gutters, end = common, end + 1
    parted = [number for number in range(start, end) if shared(gutters, bands[number].gaps, 0.1)]
    if any(bands[number].tall for number in parted):
        return end, gutters
    # Wide spaces of justified lines stand at the same place by chance in two or three lines.
    wide = narrowest * (CHANCE.get(len(parted), 1.0))
    gutters = [(a, b) for a, b in gutters if b - a >= wide]
    if len(parted) < 2 or not gutters:
        return start + 1, []
    if not _is_text(bands[start:end], gutters):
        end = start + _end_of_table(bands[start:end], parted[-1] + 1 - start, gutters)
    return end, gutters


def _begins_another(rows: Sequence[Band]) -> bool:
    """Whether a table of other columns begins at the third of four rows, which stands further from the one above."""
    if len(rows) < 4 or _alike(rows[1], rows[2]):
        return False
    before, between, after = distances(rows)
    return between > max(before, after) + FURTHER and _alike(*rows[:2]) and _alike(*rows[2:])


def _alike(one: Band, other: Band) -> bool:
    return len(shared(one.gaps, other.gaps, 0.1)) == len(one.gaps) == len(other.gaps)


def _end_of_table(bands: Sequence[Band], end: int, gutters: Sequence[Gap]) -> int:
    """Take in the last lines of a cell that is not the first of its row."""
    nearest = min(distances(bands), default=0.0)
    while end < len(bands) and not columns_of(bands[end].items, gutters)[0]:
        if bands[end].top - bands[end - 1].bottom > nearest + CLOSE * bands[end].height:
            break
        end += 1
    return end


def _add_run(regions: list[Region], bands: Sequence[Band], gutters: list[Gap], angle: int, depth: int) -> None:
    items = [item for band in bands for item in band.items]
    gutters = _without_markers(items, gutters)
    repetitive = _is_repetitive(bands, gutters)
    if not gutters or repetitive:
        for band in bands:
            _add_band(regions, band, alone=repetitive)
    elif any(band.tall for band in bands) or _is_text(bands, gutters):
        widest = max(end - start for start, end in gutters)
        gutters = [(start, end) for start, end in gutters if end - start >= WIDE * widest]
        for column in columns_of(items, gutters):
            regions.extend(arrange(column, angle, depth + 1))
    else:
        usual = usual_gaps(bands, MIN_GUTTER * bands[0].height)
        regions.append(_table(bands, usual if len(usual) > len(gutters) else gutters))


def _add_band(regions: list[Region], band: Band, *, alone: bool = False) -> None:
    words = [item for item in band.items if isinstance(item, Word)]
    tables = [item for item in band.items if isinstance(item, Table)]
    if words:
        lines = lines_of(words) if band.tall else [line_of(words, alone=alone)]
        if regions and isinstance(regions[-1], list):
            regions[-1].extend(lines)
        else:
            regions.append(lines)
    tables.sort(key=lambda table: table.top)
    regions.extend(tables)


def _without_markers(items: Sequence[Item], gutters: list[Gap]) -> list[Gap]:
    """Keep bullets and numbers with the text that follows them."""
    columns = columns_of(items, gutters)
    marked = [all(isinstance(item, Word) and MARKER.fullmatch(item.text) for item in column) for column in columns]
    return [gutter for number, gutter in enumerate(gutters) if not marked[number]]


def _is_repetitive(bands: Sequence[Band], gutters: Sequence[Gap]) -> bool:
    """Whether each line says the same words with other numbers: a table says them once, above the numbers."""
    if len(bands) < 2 or any(band.tall for band in bands):
        return False
    rows = [[NUMBER.sub("0", _text(column)) for column in columns_of(band.items, gutters)] for band in bands]
    return rows.count(rows[0]) == len(rows) and all(re.search(r"[^\W\d_]", cell) for cell in rows[0])


def _is_text(bands: Sequence[Band], gutters: Sequence[Gap]) -> bool:
    """Whether at least two columns look like running text."""
    columns = zip(*(columns_of(band.items, gutters) for band in bands), strict=True)
    return sum(_is_running(list(column)) for column in columns) >= 2


def _is_running(cells: Sequence[Sequence[Item]]) -> bool:
    lines = [cell for cell in cells if cell]
    if len(lines) < 3 or any(isinstance(item, Table) for line in lines for item in line):
        return False
    left, right = min(item.x0 for line in lines for item in line), max(item.x1 for line in lines for item in line)
    full = sum(max(item.x1 for item in line) - left >= NEAR_EDGE * (right - left) for line in lines)
    return full >= MOSTLY * len(lines) and median(_width(_text(line)) for line in lines) >= LONG_LINE


def _text(items: Sequence[Item]) -> str:
    return " ".join(item.text for item in sorted(items, key=lambda item: item.x0) if isinstance(item, Word))


def _width(text: str) -> int:
    return len(text) + len(HANGUL.findall(text))


def _table(bands: Sequence[Band], gutters: Sequence[Gap]) -> Table:
    rows = _rows(bands, gutters)
    middles = [(start + end) / 2 for start, end in gutters]
    cells: dict[tuple[int, int], Cell] = {}
    for row, band in ((row, band) for row, members in enumerate(rows) for band in members):
        for words, left, right in segments(band):
            first = sum(middle < left for middle in middles)
            width = sum(left <= middle < right for middle in middles) + 1
            cells.setdefault((row, first), Cell(row, first, columns=width)).words.extend(words)
    x0, x1 = min(band.x0 for band in bands), max(band.x1 for band in bands)
    return Table(list(cells.values()), x0, bands[0].top, x1, bands[-1].bottom, gutters=tuple(gutters))


def _rows(bands: Sequence[Band], gutters: Sequence[Gap]) -> list[list[Band]]:
    """Put a line without a first cell to the row above, where rows stand wider apart than lines; or to the line below
    that has one, where a text begins above it in a cell of several lines."""
    gaps = list(distances(bands))
    rows = [[bands[0]]]
    for band, gap in zip(bands[1:], gaps, strict=True):
        is_close = gap < GOES_ON * max(gaps) and max(gaps) - gap > 0.1 * band.height
        begun = len(rows) > 1 and all(_begins_text(each, gutters) for each in rows[-1])
        if is_close and (begun or not columns_of(band.items, gutters)[0]):
            rows[-1].append(band)
        else:
            rows.append([band])
    return rows


def _begins_text(band: Band, gutters: Sequence[Gap]) -> bool:
    """Whether a line has no first cell, and one of running text."""
    first, *others = columns_of(band.items, gutters)
    return not first and any(_width(_text(cell)) >= LONG_LINE for cell in others)

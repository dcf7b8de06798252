"""Splits rows of a ruled table that no line parts, as in a box with lines only between its columns."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise

from ingest.loading.parsers.pdf.lines import Line, lines_of
from ingest.loading.parsers.pdf.tables import Cell

MIN_LINES = 3
# Of the height of a line.
SAME_HEIGHT = 0.35
SPACE = 0.3
# The share of lines that must have a first cell, and of line ends before which there was room for the next word.
MOSTLY = 0.6
LETTER = re.compile(r"[^\W\d_]")


def split_rows(cells: Sequence[Cell], xs: Sequence[float]) -> list[Cell]:
    """Split each row whose cells hold lines at the same heights that are not one text running on."""
    rows: defaultdict[int, list[Cell]] = defaultdict(list)
    merged = {row for cell in cells if cell.rows > 1 for row in range(cell.row, cell.row + cell.rows)}
    for cell in cells:
        rows[cell.row].append(cell)
    done: list[Cell] = []
    more = 0
    for row in sorted(rows):
        members = [replace(cell, row=row + more) for cell in rows[row]]
        lines = {cell.column: lines_of(cell.words) if cell.words else [] for cell in members}
        heights = _heights(max(lines.values(), key=len))
        if row not in merged and len(heights) >= MIN_LINES and _are_rows(members, lines, heights, xs):
            members = _split(members, lines, heights, row + more)
            more += len(heights) - 1
        done.extend(members)
    return done


def _heights(lines: Sequence[Line]) -> list[float]:
    return [(line.top + line.bottom) / 2 for line in lines]


def _place(line: Line, heights: Sequence[float]) -> int | None:
    middle = (line.top + line.bottom) / 2
    near = SAME_HEIGHT * line.height
    return next((number for number, height in enumerate(heights) if abs(height - middle) <= near), None)


def _are_rows(
    members: Sequence[Cell], lines: dict[int, list[Line]], heights: Sequence[float], xs: Sequence[float]
) -> bool:
    first = min(members, key=lambda cell: cell.column)
    if sum(map(bool, lines.values())) < 2 or len(lines[first.column]) < MOSTLY * len(heights):
        return False
    if any(_place(line, heights) is None for cell in members for line in lines[cell.column]):
        return False
    ends = [
        _has_room(before, after, xs[cell.column + cell.columns] - (before.x0 - xs[cell.column]))
        for cell in members
        for before, after in pairwise(lines[cell.column])
    ]
    return sum(ends) >= MOSTLY * len(ends)


def _has_room(before: Line, after: Line, right: float) -> bool:
    """Whether the line ends by itself: the next word would have fitted, or both are single numbers."""
    first = after.words[0]
    if len(before.words) == len(after.words) == 1 and not LETTER.search(before.words[0].text + first.text):
        return True
    return right - before.x1 > first.x1 - first.x0 + SPACE * before.height


def _split(members: Sequence[Cell], lines: dict[int, list[Line]], heights: Sequence[float], row: int) -> list[Cell]:
    found: dict[tuple[int, int], Cell] = {}
    for cell in members:
        for line in lines[cell.column]:
            place = (row + (_place(line, heights) or 0), cell.column)
            found.setdefault(place, replace(cell, row=place[0], words=[])).words.extend(line.words)
    return list(found.values())

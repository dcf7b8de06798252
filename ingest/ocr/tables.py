"""Builds tables of ruled lines: their cells, merged ones included."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ingest.ocr.rulings import Ruling

# In inches: lines that are so near to each other meet, or are one.
NEAR = 0.05
MAX_LINES = 400


@dataclass(frozen=True, slots=True)
class Box:
    """In pixels, the origin at the top left."""

    left: int
    top: int
    right: int
    bottom: int


@dataclass(frozen=True, slots=True)
class Cell:
    """`row` and `column` are its first, `rows` and `columns` how many it spans."""

    row: int
    column: int
    rows: int
    columns: int
    box: Box


@dataclass(frozen=True, slots=True)
class Table:
    box: Box
    rows: int
    columns: int
    cells: list[Cell]


def tables_of(level: Sequence[Ruling], upright: Sequence[Ruling], dpi: int) -> list[Table]:
    near = max(2, round(NEAR * dpi))
    if len(level) + len(upright) > MAX_LINES:
        return []
    tables = (_table(rows, columns, near) for rows, columns in _crossing(level, upright, near))
    return [table for table in tables if table is not None]


def _crossing(level: Sequence[Ruling], upright: Sequence[Ruling], near: int) -> list[tuple[list[Ruling], list[Ruling]]]:
    """Group the lines that meet."""
    groups: list[tuple[list[Ruling], list[Ruling]]] = []
    for line in level:
        groups.append(([line], []))
    for line in upright:
        met = [group for group in groups if any(_meet(each, line, near) for each in group[0])]
        groups = [group for group in groups if group not in met]
        groups.append(([each for rows, _ in met for each in rows], [line, *(each for _, own in met for each in own)]))
    return groups


def _meet(level: Ruling, upright: Ruling, near: int) -> bool:
    beside = level.start - near <= upright.at <= level.stop + near
    return beside and upright.start - near <= level.at <= upright.stop + near


def _table(level: list[Ruling], upright: list[Ruling], near: int) -> Table | None:
    """Return None for a frame and for loose lines. Tables in Korea often have no lines at the left and the right."""
    if len(level) < 2 or not upright:
        return None
    left, right = min(each.start for each in level), max(each.stop for each in level)
    top, bottom = min(each.at for each in level), max(each.at for each in level)
    ys = _places([each.at for each in level], near)
    xs = _places([left, right, *(each.at for each in upright)], near)
    if len(ys) < 2 or len(xs) < 3 or bottom - top < 2 * near:
        return None
    rows, columns = len(ys) - 1, len(xs) - 1
    owner = list(range(rows * columns))
    for row in range(rows):
        for column in range(columns):
            own = row * columns + column
            if column + 1 < columns and not _ruled(upright, xs[column + 1], (ys[row] + ys[row + 1]) / 2, near):
                _unite(owner, own, own + 1)
            if row + 1 < rows and not _ruled(level, ys[row + 1], (xs[column] + xs[column + 1]) / 2, near):
                _unite(owner, own, own + columns)
    cells = _cells(owner, xs, ys)
    return Table(Box(round(xs[0]), round(ys[0]), round(xs[-1]), round(ys[-1])), rows, columns, cells)


def _places(values: list[float], near: int) -> list[float]:
    """Return the middle of each cluster."""
    clusters: list[list[float]] = []
    for value in sorted(values):
        if clusters and value - clusters[-1][-1] <= near:
            clusters[-1].append(value)
        else:
            clusters.append([value])
    return [sum(each) / len(each) for each in clusters]


def _ruled(lines: Sequence[Ruling], at: float, middle: float, near: int) -> bool:
    return any(abs(each.at - at) <= near and each.start - near <= middle <= each.stop + near for each in lines)


def _unite(owner: list[int], one: int, other: int) -> None:
    first, second = sorted((_root(owner, one), _root(owner, other)))
    owner[second] = first


def _root(owner: list[int], at: int) -> int:
    while owner[at] != at:
        at = owner[at]
    return at


def _cells(owner: list[int], xs: list[float], ys: list[float]) -> list[Cell]:
    columns = len(xs) - 1
    members: dict[int, list[int]] = {}
    for square in range(len(owner)):
        members.setdefault(_root(owner, square), []).append(square)
    cells = []
    for squares in members.values():
        rows = sorted({square // columns for square in squares})
        across = sorted({square % columns for square in squares})
        box = Box(round(xs[across[0]]), round(ys[rows[0]]), round(xs[across[-1] + 1]), round(ys[rows[-1] + 1]))
        cells.append(Cell(rows[0], across[0], rows[-1] - rows[0] + 1, across[-1] - across[0] + 1, box))
    return cells

"""Puts the shapes of a slide into the order in which people read them: rows from the top, columns from the left."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, TypeVar

# The space between a frame and its text (English metric units); frames may overlap by as much.
INSET_X, INSET_Y = 91_440, 45_720
# More shapes are a drawing: its words stand from the top.
MOST = 300
# Of the smallest card of a grid: how far others may be out of line, and how high they may be.
ALIGNED, SAME_SIZE = 0.5, 1.25
# Of the text below a heading: how high that may be.
HEAD = 0.5


class Box(NamedTuple):
    left: int
    top: int
    right: int
    bottom: int


Placed = TypeVar("Placed")


def in_reading_order(placed: Sequence[tuple[Box, Placed]]) -> list[Placed]:
    """Cut where the widest gap runs through all of them, and each side in the same way."""
    boxed = [(_text_box(box), each) for box, each in placed]
    if len(boxed) > MOST:
        return [each for _, each in sorted(boxed, key=_from_the_top)]
    return [each for _, each in _ordered(boxed)]


def _ordered(boxed: list[tuple[Box, Placed]]) -> list[tuple[Box, Placed]]:
    if len(boxed) < 2:
        return boxed
    if grid := _grid(boxed):
        return grid
    row_gap, rows = _widest(boxed, 1)
    column_gap, columns = _widest(boxed, 0)
    gap, cut, ordered = (column_gap, *columns) if column_gap > row_gap else (row_gap, *rows)
    if gap < 0:
        return _overlapping(boxed)
    return _ordered(ordered[:cut]) + _ordered(ordered[cut:])


def _grid(boxed: list[tuple[Box, Placed]]) -> list[tuple[Box, Placed]]:
    """Return the rows of cards of one size, one after the other, whatever lies between them, or the columns below a row
    of headings; nothing if they are no such grid."""
    low, high = (limit(box.bottom - box.top for box, _ in boxed) for limit in (min, max))
    rows: list[list[tuple[Box, Placed]]] = []
    for each in sorted(boxed, key=_from_the_top):
        if rows and each[0].top - rows[-1][0][0].top <= low * ALIGNED:
            rows[-1].append(each)
        else:
            rows.append([each])
    for row in rows:
        row.sort(key=lambda each: each[0].left)
    columns = list(zip(*rows, strict=False))
    if len(rows) < 2 or len(columns) < 2 or len(rows) * len(columns) != len(boxed):
        return []
    narrow = min(box.right - box.left for box, _ in boxed)
    aligned = all(abs(box.left - column[0][0].left) <= narrow * ALIGNED for column in columns for box, _ in column)
    if aligned and high <= low * SAME_SIZE:
        return [each for row in rows for each in row]
    return [each for column in columns for each in column] if aligned and _are_headed(rows) else []


def _are_headed(rows: list[list[tuple[Box, Placed]]]) -> bool:
    """Tell whether the upper of two rows has headings: boxes of one line above higher ones."""
    if len(rows) != 2:
        return False
    heads, texts = ([box for box, _ in row] for row in rows)
    highest, lowest = max(box.bottom - box.top for box in heads), min(box.bottom - box.top for box in texts)
    return highest <= lowest * HEAD and max(box.bottom for box in heads) <= min(box.top for box in texts)


def _overlapping(boxed: list[tuple[Box, Placed]]) -> list[tuple[Box, Placed]]:
    """Begin with what frames others, such as the text of a card on which they stand."""
    around = [each for each in boxed if any(_holds(each[0], other) for other, _ in boxed if other != each[0])]
    if not around:
        return sorted(boxed, key=_from_the_top)
    first = max(around, key=lambda each: (each[0].right - each[0].left) * (each[0].bottom - each[0].top))
    return [first, *_ordered([each for each in boxed if each is not first])]


def _holds(box: Box, other: Box) -> bool:
    return box.left <= other.left and box.top <= other.top and other.right <= box.right and other.bottom <= box.bottom


def _widest(boxed: list[tuple[Box, Placed]], side: int) -> tuple[int, tuple[int, list[tuple[Box, Placed]]]]:
    """Return the widest gap along one side, and the shapes with the number of those before it."""
    ordered = sorted(boxed, key=lambda each: each[0][side])
    widest, cut, end = -1, 0, ordered[0][0][side + 2]
    for at, (box, _) in enumerate(ordered[1:], 1):
        if box[side] - end > widest:
            widest, cut = box[side] - end, at
        end = max(end, box[side + 2])
    return widest, (cut, ordered)


def _text_box(box: Box) -> Box:
    middle_x, middle_y = (box.left + box.right) // 2, (box.top + box.bottom) // 2
    return Box(
        min(box.left + INSET_X, middle_x),
        min(box.top + INSET_Y, middle_y),
        max(box.right - INSET_X, middle_x),
        max(box.bottom - INSET_Y, middle_y),
    )


def _from_the_top(each: tuple[Box, Placed]) -> tuple[int, int]:
    return each[0].top, each[0].left

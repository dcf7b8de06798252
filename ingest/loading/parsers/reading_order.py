"""Puts the shapes of a slide into the order in which people read them: rows from the top, columns from the left."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple, TypeVar

# The space between a frame and its text (English metric units); frames may overlap by as much.
INSET_X, INSET_Y = 91_440, 45_720
# More shapes are a drawing: its words stand from the top.
MOST = 300


class Box(NamedTuple):
    left: int
    top: int
    right: int
    bottom: int


Placed = TypeVar("Placed")


def in_reading_order(shapes: Sequence[Placed], box_of: Callable[[Placed], Box]) -> list[Placed]:
    """Cut where the widest gap runs through all shapes, and each side in the same way."""
    boxed = [(_text_box(box_of(shape)), shape) for shape in shapes]
    if len(boxed) > MOST:
        return [shape for _, shape in sorted(boxed, key=_from_the_top)]
    return [shape for _, shape in _ordered(boxed)]


def _ordered(boxed: list[tuple[Box, Placed]]) -> list[tuple[Box, Placed]]:
    if len(boxed) < 2:
        return boxed
    row_gap, rows = _widest(boxed, 1)
    column_gap, columns = _widest(boxed, 0)
    gap, cut, ordered = (column_gap, *columns) if column_gap > row_gap else (row_gap, *rows)
    if gap < 0:
        return sorted(boxed, key=_from_the_top)
    return _ordered(ordered[:cut]) + _ordered(ordered[cut:])


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

"""Rectangles of characters and words on a page, joined along their lines."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

# Of the height of a line: boxes that share less of it stand on other lines; wider gaps part cells and columns.
SAME_LINE, MAX_GAP = 0.5, 1.0


class Rectangle(NamedTuple):
    """In points, the origin at the top left of the page as it is shown."""

    x: float
    y: float
    width: float
    height: float

    @property
    def right(self) -> float:
        return self.x + self.width

    @property
    def bottom(self) -> float:
        return self.y + self.height

    def mirrored(self) -> Rectangle:
        """Return it with across and down exchanged."""
        return Rectangle(self.y, self.x, self.height, self.width)


def joined(boxes: Iterable[Rectangle]) -> list[Rectangle]:
    """Join each box with the one before, if it goes on from there along a level line."""
    found: list[Rectangle] = []
    for box in boxes:
        if found and _goes_on(found[-1], box):
            found[-1] = _around(found[-1], box)
        else:
            found.append(box)
    return found


def joined_upright(boxes: Iterable[Rectangle]) -> list[Rectangle]:
    """Join boxes of lines that run up or down."""
    return [box.mirrored() for box in joined(box.mirrored() for box in boxes)]


def _goes_on(before: Rectangle, box: Rectangle) -> bool:
    shared = min(before.bottom, box.bottom) - max(before.y, box.y)
    height = min(before.height, box.height)
    gap = max(before.x, box.x) - min(before.right, box.right)
    return shared >= SAME_LINE * height and gap <= MAX_GAP * height


def _around(one: Rectangle, two: Rectangle) -> Rectangle:
    x, y = min(one.x, two.x), min(one.y, two.y)
    return Rectangle(x, y, max(one.right, two.right) - x, max(one.bottom, two.bottom) - y)

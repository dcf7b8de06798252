"""Follows where the lines of a text stand on their pages, as the program that saved the file last set them."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

Line = tuple[int, int]
"""Its top, from the top of the page's text, and its height."""


class Layout:
    """Counts the pages, until something does not agree: then the file does not say where pages begin."""

    def __init__(self) -> None:
        self.known = True
        self.lines = 0
        self.told = 0
        """How many pages the file says that it has; 0 if it does not."""
        self._height = 0
        self._last: Line | None = None
        self._breaks = False
        self._tallest = 0

    def agrees(self, pages: int) -> bool:
        return self.known and self.lines > 0 and self.told in (0, pages)

    def new_section(self) -> None:
        """Begin a page, as each section does."""
        self._breaks = self.lines > 0

    def break_page(self) -> None:
        self._breaks = self.lines > 0

    def set_page(self, height: int, *margins: int) -> None:
        self._height = height - sum(margins)

    def set_columns(self, count: int) -> None:
        """Columns begin at the top of a page as pages do."""
        self.known &= count <= 1

    def hold_table(self, height: int) -> None:
        self._tallest = max(self._tallest, height)

    def place(self, lines: Sequence[Line], *, is_blank: bool) -> tuple[int, int]:
        """Return how many pages begin with the next paragraph of the text, and how many within it."""
        begins = self._begins(lines[0]) if lines else self._breaks
        tallest, self._tallest = self._tallest, 0
        if not lines:
            self.known &= is_blank
            return 0, 0
        self._breaks = False
        self.lines += len(lines)
        within = sum(two[0] < one[0] for one, two in pairwise(lines))
        self._last = lines[-1]
        # What stands below the page goes on on another, or is not where it was.
        self.known &= max(top + max(size, tallest) for top, size in lines) <= self._height
        return int(begins), within

    def _begins(self, first: Line) -> bool:
        if self._breaks or self._last is None:
            return self._breaks
        if first[0] > self._last[0]:
            return False
        # Half a page stays empty where what follows needs more.
        self.known &= 0 < self._height < 2 * (sum(self._last) + first[1]) and first[0] < self._last[0]
        return True

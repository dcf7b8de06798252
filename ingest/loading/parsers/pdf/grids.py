"""Finds ruled tables: lines that touch make a grid, and what no line parts is one merged cell."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from itertools import pairwise

from ingest.loading.parsers.pdf.layout import arrange
from ingest.loading.parsers.pdf.row_split import split_rows
from ingest.loading.parsers.pdf.rulings import Ruling, Rulings
from ingest.loading.parsers.pdf.tables import Cell, Table
from ingest.loading.parsers.pdf.words import Word

TOUCHING = 3.0
NARROWEST = 3.0
MAX_CELLS = 20_000
MAX_PAIRS = 500_000
# Fewer cells with text are a plot or a frame.
MIN_FILLED = 0.1
MIN_LAYOUT = 12

Lines = tuple[list[Ruling], list[Ruling]]


def ruled_tables(rulings: Rulings, words: Sequence[Word]) -> tuple[list[Table], list[Word]]:
    """Return the tables, and the words outside of them."""
    tables: list[Table] = []
    left = list(words)
    grids = sorted((_Grid(*lines) for lines in _touching(rulings)), key=lambda grid: -grid.area)
    for grid in grids:
        if not grid.is_possible():
            continue
        inside = [word for word in left if grid.holds(word)]
        table = grid.table(inside) if len(inside) > 1 else None
        if table is not None:
            tables.append(table)
            taken = set(map(id, inside))
            left = [word for word in left if id(word) not in taken]
    return tables, left


def _touching(rulings: Rulings) -> list[Lines]:
    across, down = rulings.across, rulings.down
    if len(across) * len(down) > MAX_PAIRS:
        return []
    group = list(range(len(across) + len(down)))

    def root(number: int) -> int:
        while group[number] != number:
            group[number] = group[group[number]]
            number = group[number]
        return number

    for i, row in enumerate(across):
        for j, column in enumerate(down, len(across)):
            if (
                row.start - TOUCHING <= column.at <= row.end + TOUCHING
                and column.start - TOUCHING <= row.at <= column.end + TOUCHING
            ):
                group[root(i)] = root(j)
    found: dict[int, Lines] = {}
    for i, each in enumerate([*across, *down]):
        found.setdefault(root(i), ([], []))[i >= len(across)].append(each)
    return [lines for lines in found.values() if lines[0] and lines[1]]


def _is_layout(cell: Cell) -> bool:
    """Whether lines are drawn around parts of a page, with tables or columns inside of them."""
    if cell.columns == 1 or len(cell.words) < MIN_LAYOUT:
        return False
    return any(isinstance(region, Table) for region in arrange(cell.words, cell.words[0].style.angle))


class _Grid:
    def __init__(self, across: list[Ruling], down: list[Ruling]) -> None:
        self._across, self._down = across, down
        # Many tables have no line at their left and right.
        self.xs = _places([each.at for each in down], across)
        self.ys = _places([each.at for each in across], down)
        self.rows, self.columns = len(self.ys) - 1, len(self.xs) - 1
        self.area = (self.xs[-1] - self.xs[0]) * (self.ys[-1] - self.ys[0])

    def is_possible(self) -> bool:
        return self.rows >= 1 and self.columns >= 2 and 2 <= self.rows * self.columns <= MAX_CELLS

    def holds(self, word: Word) -> bool:
        x, y = (word.x0 + word.x1) / 2, (word.top + word.bottom) / 2
        return self.xs[0] < x < self.xs[-1] and self.ys[0] < y < self.ys[-1]

    def table(self, words: list[Word]) -> Table | None:
        cells = list(self._cells())
        at = {
            (row, column): number
            for number, cell in enumerate(cells)
            for row in range(cell.row, cell.row + cell.rows)
            for column in range(cell.column, cell.column + cell.columns)
        }
        for word in words:
            place = (_index(self.ys, (word.top + word.bottom) / 2), _index(self.xs, (word.x0 + word.x1) / 2))
            cells[at[place]].words.append(word)
        filled = [cell for cell in cells if cell.words]
        if len({cell.column for cell in filled}) < 2 or len(filled) < MIN_FILLED * len(cells):
            return None
        if any(_is_layout(cell) for cell in filled):
            return None
        return Table(split_rows(cells, self.xs), self.xs[0], self.ys[0], self.xs[-1], self.ys[-1], tuple(self.xs))

    def _cells(self) -> Iterator[Cell]:
        right = self._open(self._down, self.xs, self.ys)
        below = self._open(self._across, self.ys, self.xs)
        taken: set[tuple[int, int]] = set()
        for row in range(self.rows):
            for column in range(self.columns):
                if (row, column) in taken:
                    continue
                width = 1
                while (row, column + width - 1) in right and (row, column + width) not in taken:
                    width += 1
                height = 1
                while all((c, row + height - 1) in below for c in range(column, column + width)):
                    height += 1
                taken.update((r, c) for r in range(row, row + height) for c in range(column, column + width))
                yield Cell(row, column, height, width)

    @staticmethod
    def _open(rulings: list[Ruling], places: list[float], others: list[float]) -> set[tuple[int, int]]:
        """Return (number across, number along) of each cell that no line parts from the next one along `places`."""
        middles = [(a + b) / 2 for a, b in pairwise(others)]
        closed = {
            (number, along)
            for along, place in enumerate(places[1:-1])
            for ruling in rulings
            if abs(ruling.at - place) <= TOUCHING
            for number, middle in enumerate(middles)
            if ruling.start < middle < ruling.end
        }
        return {(n, along) for n in range(len(middles)) for along in range(len(places) - 2)} - closed


def _places(at: list[float], others: list[Ruling]) -> list[float]:
    places: list[float] = []
    for each in sorted([*at, min(line.start for line in others), max(line.end for line in others)]):
        if not places or each - places[-1] > NARROWEST:
            places.append(each)
    return places


def _index(places: list[float], value: float) -> int:
    return max(0, bisect_right(places, value, hi=len(places) - 1) - 1)

"""Tables of a page, written as Markdown whose every word knows its source."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace

from ingest.loading.parsers.pdf.habits import Habits
from ingest.loading.parsers.pdf.lines import Line, joined, lines_of
from ingest.loading.parsers.pdf.pieces import Piece
from ingest.loading.parsers.pdf.words import Word

# A longer text is not repeated in every row that its cell covers.
MAX_REPEATED = 1000
NARROW = 8.0


@dataclass(frozen=True, slots=True)
class Cell:
    row: int
    column: int
    rows: int = 1
    columns: int = 1
    words: list[Word] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Table:
    cells: list[Cell]
    x0: float
    top: float
    x1: float
    bottom: float
    edges: tuple[float, ...] = ()
    """Where its columns begin and end, if it is ruled."""
    gutters: tuple[tuple[float, float], ...] = ()
    """The white space between its columns, if it is not."""

    @property
    def height(self) -> float:
        return self.bottom - self.top


def rows_of(table: Table, habits: Habits) -> list[list[list[Piece]]]:
    """Return the cells row by row: merged ones repeated downwards, and across in header rows. Rows without any text are
    left out."""
    texts = {(cell.row, cell.column): _cell(cell, habits) for cell in table.cells if cell.words}
    header = header_rows(table)
    for cell in table.cells:
        if (pieces := texts.get((cell.row, cell.column))) and len(pieces) <= MAX_REPEATED:
            across = cell.columns if cell.row < header else 1
            for row in range(cell.row, cell.row + cell.rows):
                texts.update({(row, column): pieces for column in range(cell.column, cell.column + across)})
    columns = sorted({column for _, column in texts} | _wide(table))
    return [[texts.get((row, column), []) for column in columns] for row in sorted({row for row, _ in texts})]


def header_rows(table: Table) -> int:
    return max((cell.row + cell.rows for cell in table.cells if cell.row == 0 and cell.words), default=1)


def _wide(table: Table) -> set[int]:
    """Return the ruled columns in which cells begin, blank ones too, but not those between double lines."""
    starts = {cell.column for cell in table.cells} if table.edges else set()
    return {column for column in starts if table.edges[column + 1] - table.edges[column] > NARROW}


def markdown(rows: Sequence[Sequence[Sequence[Piece]]]) -> list[Piece]:
    pieces: list[Piece] = []
    for number, row in enumerate(rows):
        pieces.append("\n| " if number else "| ")
        for place, cell in enumerate(row):
            pieces.append(" | " if place else "")
            pieces.extend(cell)
        pieces.append(" |")
        if number == 0:
            pieces.append(f"\n|{' --- |' * len(row)}")
    return pieces


def _cell(cell: Cell, habits: Habits) -> list[Piece]:
    """Join its lines, those that could not hold the next word as running text."""
    lines = lines_of(cell.words)
    right = max(line.x1 for line in lines)
    parts: list[list[Line]] = []
    for line in lines:
        if parts and right - parts[-1][-1].x1 <= line.words[0].x1 - line.words[0].x0:
            parts[-1].append(line)
        else:
            parts.append([line])
    pieces = [piece for part in parts for piece in (" ", *joined(part, habits))][1:]
    return [part for piece in pieces for part in _escaped(piece)]


def _escaped(piece: Piece) -> Iterator[Piece]:
    if isinstance(piece, str) or "|" not in piece.text:
        yield piece
        return
    start = 0
    for place, character in enumerate(piece.text):
        if character == "|":
            if place > start:
                yield replace(piece, text=piece.text[start:place], sources=piece.sources[start:place])
            yield "\\"
            start = place
    yield replace(piece, text=piece.text[start:], sources=piece.sources[start:])

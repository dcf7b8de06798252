"""Joins a ruled table that goes on in the next column, and gives a table that goes on on the next page its header
there."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

from app.storage.origins import MADE
from ingest.loading.parsers.pdf.layout import Region
from ingest.loading.parsers.pdf.pieces import Written, concatenated, cut
from ingest.loading.parsers.pdf.tables import Cell, Table, header_rows
from ingest.loading.parsers.pdf.words import Word

SAME_EDGE = 3.0
LETTER = re.compile(r"[^\W\d_]")


@dataclass(frozen=True, slots=True)
class Outer:
    """The first and the last of what stands on a page, where that is a table."""

    first: Table | None
    last: Table | None


def outer_tables(regions: Sequence[Region]) -> Outer:
    ends = [region if isinstance(region, Table) else None for region in (*regions[:1], *regions[-1:])]
    return Outer(ends[0], ends[-1]) if ends else Outer(None, None)


def over_columns(regions: Sequence[Region]) -> list[Region]:
    """Join tables that go on at the top of the next column."""
    found: list[Region] = []
    for region in regions:
        before = found[-1] if found else None
        if isinstance(region, Table) and isinstance(before, Table) and _is_beside(before, region):
            repeated = _repeated(before, region)
            if repeated or _goes_on(before, region):
                found[-1] = _joined(before, region, repeated)
                continue
        found.append(region)
    return found


class Continuations:
    """Takes the pages in turn."""

    def __init__(self) -> None:
        self._open: tuple[Table, str] | None = None
        """The table in which the page before ended, as it began, and its header."""

    def with_header(self, body: Written, outer: Outer) -> Written:
        last, header = outer.last, _last_header(body.text)
        if outer.first and self._open and _alike(self._open[0], outer.first) and _goes_on(self._open[0], outer.first):
            table, before = self._open
            row, _, rest = body.text.partition("\n")
            rule = rest.partition("\n")[0]
            if row != before and rule.count("|") == before.count("|") - before.count("\\|"):
                after = len(row) + len(rule) + 1
                made = f"{before}\n{rule}\n"
                body = concatenated([
                    Written(made, ((len(made), MADE),)), cut(body, 0, len(row)), cut(body, after, len(body.text))
                ])  # fmt: skip
            if outer.first is outer.last:
                last, header = table, before
        self._open = (last, header) if last and header.startswith("|") else None
        return body


def _is_beside(before: Table, after: Table) -> bool:
    return after.x0 > before.x1 - SAME_EDGE and after.top < before.bottom and _alike(before, after)


def _alike(one: Table, other: Table) -> bool:
    """Whether their columns are as wide. Where they stand differs between columns, and between left and right pages;
    columns without rulings stand at the same place."""
    if len(one.edges) != len(other.edges) or len(one.gutters) != len(other.gutters):
        return False
    if not one.edges:
        return all(max(a[0], b[0]) < min(a[1], b[1]) for a, b in zip(one.gutters, other.gutters, strict=True))
    moved = other.edges[0] - one.edges[0]
    return all(abs(b - moved - a) <= SAME_EDGE for a, b in zip(one.edges, other.edges, strict=True))


def _goes_on(table: Table, after: Table) -> bool:
    """Whether the second begins with a row of the first, and not with a header of its own: that is set in the first
    one's way, or has words where the rows have numbers. Without rulings, one of the two must tell."""
    header = [cell for cell in table.cells if cell.row < header_rows(table)]
    rows = [cell for cell in table.cells if cell.row >= header_rows(table)]
    top = [cell for cell in after.cells if cell.row == 0]
    if rows and not _fonts(header) & _fonts(rows):
        return not _fonts(top) <= _fonts(header)
    numbers = {cell.column for cell in rows if cell.words} - {cell.column for cell in rows if _says_words(cell)}
    named = numbers & {cell.column for cell in header if _says_words(cell)}
    if not table.edges and not named:
        return False
    return not any(_says_words(cell) for cell in top if cell.column in named)


def _repeated(table: Table, after: Table) -> int:
    """Return how many rows at its top are the header of the first once more."""
    count = header_rows(table)
    return count if _texts(table, count) == _texts(after, count) else 0


def _joined(before: Table, after: Table, repeated: int) -> Table:
    moved = max(cell.row + cell.rows for cell in before.cells) - repeated
    more = [replace(cell, row=cell.row + moved) for cell in after.cells if cell.row >= repeated]
    return replace(after, cells=[*before.cells, *more])


def _texts(table: Table, rows: int) -> dict[tuple[int, int], list[str]]:
    cells = [cell for cell in table.cells if cell.row < rows and cell.words]
    return {(cell.row, cell.column): [word.text for word in cell.words] for cell in cells}


def _words(cells: Sequence[Cell]) -> list[Word]:
    return [word for cell in cells for word in cell.words]


def _fonts(cells: Sequence[Cell]) -> set[int]:
    return {word.style.font for word in _words(cells)}


def _says_words(cell: Cell) -> bool:
    return any(LETTER.search(word.text) for word in cell.words)


def _last_header(text: str) -> str:
    """Return the first row of the table that ends the text."""
    return text[text.rfind("\n\n") + 2 if "\n\n" in text else 0 :].partition("\n")[0]

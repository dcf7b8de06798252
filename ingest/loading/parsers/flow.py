"""Collects headings, paragraphs and tables in reading order, and renders them as plain text with pipe tables."""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import takewhile

from ingest.loading.picture_marks import says_nothing
from ingest.loading.refusals import UNPACKS_TO_TOO_MUCH

DEEPEST_HEADING = 6
# A few cells far apart make a wide table of blanks.
MAX_CELLS = 20_000_000
# A longer text is not repeated in every row that its cell covers.
MAX_REPEATED = 1000

# A line that would read as a heading, and what Markdown has before lines that are taken as they are written.
MARKED, AS_WRITTEN = re.compile(r"^[ \t]{0,3}(?=#{1,6}[ \t])", re.MULTILINE), "    "

Place = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Heading:
    level: int
    text: str


class PageBreak:
    """Stands where a page ends."""


@dataclass
class Table:
    """`spans` holds (rows, columns) of merged cells; texts of the `headers` first rows are repeated across. A row in
    `breaks` begins a page."""

    cells: dict[Place, list[Block]] = field(default_factory=dict)
    spans: dict[Place, tuple[int, int]] = field(default_factory=dict)
    breaks: set[int] = field(default_factory=set)
    headers: int = 1

    @property
    def columns(self) -> list[int]:
        return sorted({column for _, column in self.cells})

    @property
    def rows(self) -> list[int]:
        return sorted({row for row, _ in self.cells})

    def in_order(self) -> list[list[Block]]:
        return [self.cells[place] for place in sorted(self.cells)]


Block = str | Heading | Table | PageBreak


class Flow:
    """Collects what a reader finds: each cell is opened, filled with paragraphs and tables, and closed at its place."""

    def __init__(self) -> None:
        self._open: list[list[Block]] = [[]]
        self._tables: list[Table] = []

    def paragraph(self, text: str) -> None:
        if stripped := text.strip():
            self._open[-1].append(stripped)

    def heading(self, level: int, text: str) -> None:
        """Add a heading of level 1 and up; in the cell of a table it is text like any other."""
        if words := " ".join(text.split()):
            self._open[-1].append(Heading(min(level, DEEPEST_HEADING), words))

    def open_part(self) -> None:
        """Collect what follows apart, until `close_part` returns it to be placed with `add`."""
        self._open.append([])

    def close_part(self) -> list[Block]:
        return self._open.pop()

    def add(self, blocks: Sequence[Block]) -> None:
        self._open[-1].extend(blocks)

    def open_table(self) -> None:
        self._tables.append(Table())

    def header_rows(self, count: int) -> None:
        self._tables[-1].headers = max(1, count)

    def open_cell(self) -> None:
        self._open.append([])

    def close_cell(self, row: int, column: int, rows: int = 1, columns: int = 1) -> None:
        blocks = self._open.pop()
        self._tables[-1].cells.setdefault((row, column), []).extend(blocks)
        if rows > 1 or columns > 1:
            self._tables[-1].spans[row, column] = (rows, columns)

    def cover(self, origin: Place, row: int, column: int) -> None:
        """Merge the cell at `origin` with those as far as `row` and `column`."""
        table = self._tables[-1]
        rows, columns = table.spans.get(origin, (1, 1))
        table.spans[origin] = (max(rows, row - origin[0] + 1), max(columns, column - origin[1] + 1))

    def close_table(self) -> None:
        self._open[-1].append(self._tables.pop())

    def break_page(self) -> None:
        """End the page. Only outside of cells and parts."""
        self._open[0].append(PageBreak())

    def break_before_row(self, row: int) -> None:
        """Begin a page with a row of the outermost table that is open."""
        self._tables[0].breaks.add(row)

    @property
    def is_empty(self) -> bool:
        return not self._tables and not any(self._open)

    def text(self) -> str:
        return render(self._open[0])

    def pages(self) -> list[str]:
        return pages_of(self._open[0])


def pages_of(blocks: Sequence[Block]) -> list[str]:
    """Render each page. A table that is cut has its first row, which is its header, on each."""
    pages: list[list[str]] = [[]]
    for block in blocks:
        if isinstance(block, PageBreak):
            pages.append([])
        elif isinstance(block, Table) and block.breaks:
            first, *others = _cut(block)
            pages[-1] += first
            pages += others
        else:
            pages[-1] += _rendered([block])
    return ["\n\n".join(lines) for lines in pages]


def render(blocks: Sequence[Block]) -> str:
    return "\n\n".join(_rendered(blocks))


def one_line(blocks: Sequence[Block]) -> str:
    """Render blocks as in a cell, whatever they hold."""
    return " ".join(" ".join(map(_inline, blocks)).split())


def _rendered(blocks: Sequence[Block]) -> list[str]:
    lines: list[str] = []
    for block in blocks:
        if isinstance(block, str):
            lines.append(block if "#" not in block or block.startswith("```") else MARKED.sub(AS_WRITTEN, block))
        elif isinstance(block, Heading):
            lines.append(f"{'#' * block.level} {block.text}")
        elif isinstance(block, Table):
            lines += _whole(block)
    return lines


def _whole(table: Table) -> list[str]:
    if len(table.columns) <= 1:
        # A frame around text, as Korean forms have many.
        return [line for cell in table.in_order() for line in _rendered(cell)]
    lines = [line for _, line in _rows(table)]
    return ["\n".join([lines[0], _rule(table), *lines[1:]])] if lines else []


def _cut(table: Table) -> list[list[str]]:
    """Render the part of each page."""
    ends = sorted(table.breaks)
    parts: list[list[str]] = [[] for _ in range(len(ends) + 1)]
    if len(table.columns) <= 1:
        for row, column in sorted(table.cells):
            parts[bisect_right(ends, row)] += _rendered(table.cells[row, column])
        return parts
    if not (rows := _rows(table)):
        return parts
    for row, line in rows[1:]:
        parts[bisect_right(ends, row)].append(line)
    (first, header), rule = rows[0], _rule(table)
    held = [bool(part) or page == bisect_right(ends, first) for page, part in enumerate(parts)]
    return [["\n".join([header, rule, *part])] if any_ else [] for part, any_ in zip(parts, held, strict=True)]


def _rule(table: Table) -> str:
    return f"|{' --- |' * len(table.columns)}"


def _inline(block: Block) -> str:
    match block:
        case str():
            return block
        case Heading():
            return block.text
        case Table():
            return " ".join(map(one_line, block.in_order()))
    return ""


def _rows(table: Table) -> list[tuple[int, str]]:
    """Return each row that is not blank, with its number."""
    columns, numbers = table.columns, table.rows
    if len(columns) * len(numbers) > MAX_CELLS:
        raise UNPACKS_TO_TOO_MUCH
    texts = _texts(table, numbers, columns)
    rows, noted = list[tuple[int, str]](), ""
    for number in numbers:
        row = [texts.get((number, column), "") for column in columns]
        if all(map(says_nothing, row)):
            # A row of pictures alone is left out, and they go with the next.
            noted += "".join(row)
        else:
            rows.append((number, f"{noted}| {' | '.join(row)} |"))
            noted = ""
    return [*rows[:-1], (rows[-1][0], rows[-1][1] + noted)] if rows else []


def _texts(table: Table, rows: list[int], columns: list[int]) -> dict[Place, str]:
    """Return each cell's text, that of merged cells repeated downwards, and in header rows across."""
    texts = {place: one_line(cell).replace("|", "\\|") for place, cell in table.cells.items()}
    body = rows[table.headers] if table.headers < len(rows) else rows[-1] + 1
    for (row, column), (height, width) in table.spans.items():
        text = texts.get((row, column), "")
        if says_nothing(text) or len(text) > MAX_REPEATED:
            continue
        right = _covered(columns, column, width)
        below = _covered(rows, row, height)
        across = [column, *takewhile(lambda other: (row, other) not in table.cells, right)]  # noqa: B023
        down = [row, *takewhile(lambda other: (other, column) not in table.cells, below)]  # noqa: B023
        for each in down:
            for other in across if each < body else across[:1]:
                texts[each, other] = text
    return texts


def _covered(numbers: list[int], first: int, count: int) -> list[int]:
    """Return the further rows or columns of a merged cell that starts in the first."""
    return numbers[bisect_right(numbers, first) : bisect_left(numbers, first + count)]

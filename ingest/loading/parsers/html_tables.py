"""Places the cells of HTML's tables, and tells tables of data from those that lay out a page."""

from __future__ import annotations

from dataclasses import dataclass, field

from ingest.loading.parsers.flow import Flow, Table
from ingest.loading.parsers.html_tokens import Start

# As browsers have it.
MAX_COLUMNS, MAX_ROWS = 1000, 65534


@dataclass
class Grid:
    """`until`: of each column the row at which it is free again."""

    is_layout: bool
    is_data: bool = False
    holds_blocks: bool = False
    in_head: bool = False
    row: int = -1
    column: int = 0
    until: list[int] = field(default_factory=lambda: [0] * MAX_COLUMNS)
    reaches: int = 0
    """The highest of those rows."""
    cell: tuple[int, int, int, int] | None = None
    headers: int = 0
    all_headers: bool = True
    foot: range = range(0)
    """The rows of a `tfoot`, which is shown below the others wherever it stands."""


class HtmlTables:
    """Tables that are open, each in a cell of the one before.

    A table lays out a page if it says so (role=presentation), or if nothing marks it as data (th, thead, caption) and
    it has one row, or holds headings or other tables. Its cells are then text, one after the other.
    """

    def __init__(self, flow: Flow) -> None:
        self._flow = flow
        self._grids: list[Grid] = []

    def open(self, tag: Start) -> None:
        self.note_block()
        self._flow.open_part()
        self._flow.open_table()
        self._grids.append(Grid((tag.attribute("role") or "").lower() in ("presentation", "none")))

    def note_block(self) -> None:
        """Note a heading or a table in the cell that is open."""
        if self._grids:
            self._grids[-1].holds_blocks = True

    def start(self, tag: Start) -> None:
        """Start a part of the innermost table."""
        if not self._grids:
            return
        grid = self._grids[-1]
        match tag.name:
            case "tr":
                self._next_row(grid)
            case "td" | "th":
                self._open_cell(grid, tag)
            case "thead" | "tbody" | "tfoot" | "caption":
                self.end_group()
                grid.in_head = tag.name == "thead"
                if tag.name == "tfoot":
                    grid.foot = range(grid.row + 1, MAX_ROWS)
                grid.is_data |= tag.name in ("thead", "caption")

    def end_group(self) -> None:
        """End the rows of a head, body or foot, which no cell reaches beyond."""
        if not self._grids:
            return
        grid = self._grids[-1]
        self._end_foot(grid)
        grid.in_head = False
        if grid.reaches > grid.row + 1:
            grid.until = [min(until, grid.row + 1) for until in grid.until]
            grid.reaches = grid.row + 1

    def close_cell(self) -> None:
        if self._grids and (place := self._grids[-1].cell) is not None:
            self._flow.close_cell(*place)
            self._grids[-1].cell = None

    def close(self) -> None:
        self.close_cell()
        grid = self._grids.pop()
        self._end_row(grid)
        self._end_foot(grid)
        self._flow.header_rows(grid.headers)
        self._flow.close_table()
        *before, table = self._flow.close_part()
        assert isinstance(table, Table)
        self._flow.add(before)
        if grid.foot.stop <= grid.row:
            _move_down(table, grid.foot)
        is_data = grid.is_data or not (grid.holds_blocks or len(table.rows) <= 1)
        if is_data and not grid.is_layout:
            self._flow.add([table])
            return
        for cell in table.in_order():
            self._flow.add(cell)

    def _end_foot(self, grid: Grid) -> None:
        grid.foot = range(grid.foot.start, min(grid.foot.stop, grid.row + 1))

    def _next_row(self, grid: Grid) -> None:
        self._end_row(grid)
        grid.row, grid.column, grid.all_headers = grid.row + 1, 0, True

    def _end_row(self, grid: Grid) -> None:
        if grid.row >= 0 and grid.column and grid.all_headers and grid.headers == grid.row:
            grid.headers += 1

    def _open_cell(self, grid: Grid, tag: Start) -> None:
        if grid.row < 0:
            self._next_row(grid)
        if tag.name == "th":
            grid.is_data = True
        elif not grid.in_head:
            grid.all_headers = False
        while grid.column < MAX_COLUMNS and grid.until[grid.column] > grid.row:
            grid.column += 1
        first = grid.column
        columns = max(1, min(_number(tag, "colspan"), MAX_COLUMNS - first))
        # A height of 0 reaches to the end of the group of rows.
        rows = min(_number(tag, "rowspan") or MAX_ROWS, MAX_ROWS)
        grid.reaches = max(grid.reaches, grid.row + rows)
        grid.until[first : first + columns] = [grid.row + rows] * min(columns, max(0, MAX_COLUMNS - first))
        grid.column = first + columns
        grid.cell = (grid.row, first, rows, columns)
        self._flow.open_cell()


def _move_down(table: Table, rows: range) -> None:
    """Move some rows below all others."""
    last = max(row for row, _ in table.cells) + 1 if table.cells else 0
    table.cells = {(row + last * (row in rows), column): cell for (row, column), cell in table.cells.items()}
    table.spans = {(row + last * (row in rows), column): span for (row, column), span in table.spans.items()}


def _number(tag: Start, name: str) -> int:
    digits = (tag.attribute(name) or "").strip()[:5]
    return int(digits) if digits.isascii() and digits.isdigit() else 1

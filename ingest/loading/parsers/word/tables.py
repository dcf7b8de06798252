"""Follows tables: rows, cells and their places in the grid, what is merged, deleted or hidden."""

from __future__ import annotations

from dataclasses import dataclass, field

from ingest.loading.parsers.flow import Flow, Place, one_line


@dataclass(slots=True)
class Cell:
    columns: int = 1
    covered_from_above: bool = False
    starts_merge: bool = False
    covered_from_left: bool = False
    deleted: bool = False


@dataclass(slots=True)
class Row:
    number: int
    column: int = 0
    is_header: bool = False
    deleted: bool = False
    hidden: bool = False


@dataclass(slots=True)
class Open:
    """A table that is being read; `merged` has for each column the cell that covers those below it."""

    row: Row
    style: str | None = None
    headers: int = 0
    last: Place | None = None
    merged: dict[int, Place] = field(default_factory=dict)


class Tables:
    def __init__(self, flow: Flow) -> None:
        self._flow = flow
        self._open: list[Open] = []

    def __bool__(self) -> bool:
        return bool(self._open)

    @property
    def row(self) -> Row | None:
        return self._open[-1].row if self._open else None

    @property
    def table(self) -> Open | None:
        return self._open[-1] if self._open else None

    @property
    def hides(self) -> bool:
        return any(table.row.hidden for table in self._open)

    def open_table(self) -> None:
        self._flow.open_table()
        self._open.append(Open(Row(-1)))

    def open_row(self) -> None:
        if self._open:
            table = self._open[-1]
            table.row, table.last = Row(table.row.number + 1), None

    def close_row(self) -> None:
        if self._open:
            table = self._open[-1]
            if table.row.is_header and table.row.number == table.headers:
                table.headers += 1

    def new_page(self) -> None:
        """Have the row in hand begin a page: of tables in tables only the outermost is cut."""
        self._flow.break_before_row(self._open[0].row.number)

    def close_cell(self, cell: Cell) -> bool:
        """Place a cell. Return whether its text was left out since another cell covers it."""
        table = self._open[-1]
        place = (table.row.number, table.row.column)
        if cell.deleted:
            self._flow.close_part()
            return False
        table.row.column += cell.columns
        origin = table.merged.get(place[1]) if cell.covered_from_above else table.last
        if origin and (cell.covered_from_above or cell.covered_from_left):
            self._flow.cover(origin, place[0], place[1] + cell.columns - 1)
            return bool(one_line(self._flow.close_part()))
        table.merged.pop(place[1], None)
        if cell.starts_merge:
            table.merged[place[1]] = place
        table.last = place
        self._flow.close_cell(*place, columns=cell.columns)
        return False

    def close_table(self) -> None:
        self._flow.header_rows(self._open.pop().headers)
        self._flow.close_table()

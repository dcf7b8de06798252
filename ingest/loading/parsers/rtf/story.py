"""Keeps track of the paragraphs and tables of an RTF document."""

from __future__ import annotations

from dataclasses import dataclass, field

from ingest.loading.parsers.exponents import Run, joined
from ingest.loading.parsers.flow import Block, Flow, Place
from ingest.loading.parsers.marks import marked


@dataclass(slots=True)
class CellMerge:
    right: bool = False
    down: bool = False


@dataclass(slots=True)
class Story:
    """`in_table` and `level` hold until the next `\\pard`; `defined` are the merges of the row's cells."""

    flow: Flow = field(default_factory=Flow)
    parts: list[Run] = field(default_factory=list)
    cell: list[Block] = field(default_factory=list)
    row: list[list[Block]] = field(default_factory=list)
    defined: list[CellMerge] = field(default_factory=list)
    merge: CellMerge = field(default_factory=CellMerge)
    later: list[str] = field(default_factory=list)
    in_table: bool = False
    level: int = 0
    rows: int = 0
    headers: int = 0
    is_header: bool = False
    above: dict[int, Place] = field(default_factory=dict)

    def end_paragraph(self) -> None:
        text = joined(self.parts).strip()
        self.parts.clear()
        if self.in_table:
            if text:
                self.cell.append(text)
            return
        self.end_table()
        if text and self.level:
            self.flow.heading(self.level, text)
        else:
            self.flow.paragraph(text)
        self._write_later()

    def _write_later(self) -> None:
        self.flow.add(self.later)
        self.later.clear()

    def end_cell(self) -> None:
        self.in_table = True
        self.end_paragraph()
        self.row.append(self.cell)
        self.cell = []

    def end_nested(self) -> None:
        """End a cell of a table in a cell, which is read as text."""
        self.in_table = True
        self.end_paragraph()

    def start_paragraph(self) -> None:
        self.in_table, self.level = False, 0

    def enter_table(self) -> None:
        self.in_table = True

    def merge_down(self) -> None:
        self.merge.down = True

    def merge_right(self) -> None:
        self.merge.right = True

    def is_header_row(self) -> None:
        self.is_header = True

    def define_row(self) -> None:
        self.defined, self.merge, self.is_header = [], CellMerge(), False

    def define_cell(self) -> None:
        self.defined.append(self.merge)
        self.merge = CellMerge()

    def end_row(self) -> None:
        if not self.row:
            return
        if not self.rows:
            self.flow.open_table()
        left: Place | None = None
        for column, blocks in enumerate(self.row):
            merge = self.defined[column] if column < len(self.defined) else CellMerge()
            origin = self.above.get(column) if merge.down else left if merge.right else None
            if origin is not None and not blocks:
                self.flow.cover(origin, self.rows, column)
                continue
            left = self.above[column] = (self.rows, column)
            self.flow.open_cell()
            self.flow.add(blocks)
            self.flow.close_cell(*left)
        self.headers += self.is_header and self.headers == self.rows
        self.rows += 1
        self.row = []

    def end_table(self) -> None:
        if self.row:
            self.end_row()
        if self.rows:
            self.flow.header_rows(self.headers)
            self.flow.close_table()
            self.rows = self.headers = 0
            self.above.clear()
            self._write_later()

    def finish(self) -> None:
        if self.cell or (self.in_table and self.parts):
            self.end_cell()
        self.in_table = False
        self.end_paragraph()

    def note(self, mark: str, text: str) -> None:
        if words := " ".join(text.split()):
            self.later.append(f"[{mark}: {words}]" if mark else marked("Comment", words))

"""Reads OpenDocument spreadsheets, which keep beside each value the text that its cell shows."""

from __future__ import annotations

import zipfile
from pathlib import Path

from ingest.loading.parsed import Notice, Options, Page, Parsed
from ingest.loading.parsers import office_notices as notices
from ingest.loading.parsers.flow import render
from ingest.loading.parsers.grid import Cells, Grid, Merge
from ingest.loading.parsers.marks import marked
from ingest.loading.parsers.odf_package import open_document
from ingest.loading.parsers.odf_shapes import SHAPES, ShapeReader
from ingest.loading.parsers.odf_text import Styles, paragraphs, repeated
from ingest.loading.parsers.ooxml import read_xml
from ingest.loading.parsers.xml_tree import Node, PieceReader
from ingest.loading.picture_marks import says_nothing

CONTENT = "content.xml"
MAX_COLUMN = 1 << 14
MAX_ROW = 1 << 20
CELLS = ("table-cell", "covered-table-cell")
HIDDEN = ("collapse", "filter")
VALUES = ("string-value", "value", "date-value", "time-value", "boolean-value")


def read(path: Path, options: Options) -> Parsed:
    with open_document(path) as archive:
        book = BookReader(archive, options)
        take = {
            "style": book.styles.take,
            "table-column": book.column,
            "table-row": book.row,
            "shapes": book.shapes,
            # What was deleted while changes were recorded.
            "tracked-changes": lambda _: None,
        }
        read_xml(archive, CONTENT, PieceReader(take, {"table": book.sheet}))
        book.close()
    return book.parsed


class BookReader:
    def __init__(self, archive: zipfile.ZipFile, options: Options) -> None:
        self._archive = archive
        self._options = options
        self._mark_hidden = options.hidden_parts == "mark"
        self._sheets = 0
        self._sheet: SheetReader | None = None
        self.styles = Styles()
        self.parsed = Parsed(None, [])

    def sheet(self, table: Node) -> None:
        self.close()
        self._sheets += 1
        hidden, name = table.get("style-name") in self.styles.hidden, table.get("name")
        if hidden and not self._mark_hidden:
            self.parsed.warnings.append(notices.hidden("a hidden sheet", part=name))
        else:
            name = marked("Hidden", name) if hidden else name
            self._sheet = SheetReader(self._archive, self.styles, name, self._options)

    def column(self, column: Node) -> None:
        if self._sheet:
            self._sheet.column(column)

    def row(self, row: Node) -> None:
        if self._sheet:
            self._sheet.row(row)

    def shapes(self, shapes: Node) -> None:
        if self._sheet:
            self._sheet.shapes.extend(shapes)

    def close(self) -> None:
        """End the sheet in hand."""
        if sheet := self._sheet:
            text = sheet.text()
            self.parsed.warnings.extend(sheet.notices())
            if not says_nothing(text):
                self.parsed.pages.append(Page(self._sheets, f"## {sheet.name}\n\n{text}"))
        self._sheet = None


class SheetReader:
    def __init__(self, archive: zipfile.ZipFile, styles: Styles, name: str, options: Options) -> None:
        self.name = name
        self.shapes: list[Node] = []
        self._styles = styles
        self._reader = ShapeReader(archive, styles, options)
        self._mark_hidden = options.hidden_parts == "mark"
        self._grid = Grid()
        self._column = self._row = 0
        self._hidden_columns: set[int] = set()
        self._missing = notices.Missing()

    def column(self, column: Node) -> None:
        times = repeated(column, "number-columns-repeated")
        if column.get("visibility") in HIDDEN:
            self._hidden_columns.update(range(self._column + 1, min(self._column + times, MAX_COLUMN) + 1))
        self._column += times

    def row(self, row: Node) -> None:
        times = repeated(row, "number-rows-repeated")
        hidden = row.get("visibility") in HIDDEN
        cells, numbers, column = Cells(), False, 0
        for cell in row:
            if cell.name in CELLS:
                many = repeated(cell, "number-columns-repeated")
                if cell.content or cell.attributes:
                    numbers |= self._cell(cells, cell, range(column + 1, min(column + many, MAX_COLUMN) + 1), hidden)
                column += many
        for number in range(self._row + 1, min(self._row + (times if cells else 0), MAX_ROW) + 1):
            self._grid.add(number, cells, numbers)
        if hidden and not cells:
            self._grid.pass_over(self._row + 1, min(self._row + times, MAX_ROW))
        self._row += times

    def text(self) -> str:
        drawn = render(list(self._reader.blocks(self.shapes)))
        return "\n\n".join(filter(None, [self._grid.text(), drawn]))

    def notices(self) -> list[Notice]:
        return [*notices.missing(self._missing, self.name), *self._reader.notices(part=self.name)]

    def _cell(self, cells: Cells, cell: Node, columns: range, row_hidden: bool) -> bool:
        """Put the cell's text into its columns, and tell whether it is a number."""
        self.shapes += [each for each in cell if each.name in SHAPES]
        text = self._shown(cell)
        if cell.name != CELLS[0] or not text:
            return False
        height, width = repeated(cell, "number-rows-spanned"), repeated(cell, "number-columns-spanned")
        if height > 1 or width > 1:
            top, left = self._row + 1, columns.start
            self._grid.merge(Merge(top, left, top + height - 1, left + width - 1))
        for column in columns:
            if shown := self._visible(text, row_hidden, column):
                cells[column] = shown
        return cell.get("value-type") not in ("", "string", "boolean")

    def _visible(self, text: str, row_hidden: bool, column: int) -> str:
        if not row_hidden and column not in self._hidden_columns:
            return text
        if self._mark_hidden:
            return marked("Hidden", text)
        if row_hidden:
            self._missing.hidden_rows.add(self._row + 1)
        else:
            self._missing.hidden_columns.add(column)
        return ""

    def _shown(self, cell: Node) -> str:
        text = " ".join(" ".join(paragraphs(cell, self._styles.raised)).split())
        if not text:
            # Some programs write the value alone.
            text = next((value for name in VALUES if (value := cell.get(name))), "")
        if cell.get("formula") and not text and not cell.get("value-type"):
            self._missing.formulas.append(f"row {self._row + 1}")
        for note in cell.children("annotation"):
            if said := " ".join(" ".join(paragraphs(note, self._styles.raised)).split()):
                text = f"{text} {marked('Comment', said)}".lstrip()
        return text

"""Reads a worksheet's cells as they are displayed, row by row."""

from __future__ import annotations

import re
from collections.abc import Container, Mapping
from dataclasses import dataclass, field
from math import isfinite

from ingest.loading.parsers.decimal_format import general
from ingest.loading.parsers.exponents import Run, joined
from ingest.loading.parsers.grid import Cells, Grid, Merge
from ingest.loading.parsers.marks import marked
from ingest.loading.parsers.number_format import NumberFormat
from ingest.loading.parsers.office_notices import Missing
from ingest.loading.parsers.ooxml import Attributes
from ingest.loading.refusals import CORRUPT

MAX_COLUMN = 1 << 14
MAX_LETTERS = 3
REFERENCE = re.compile(r"\$?([A-Z]{1,3})\$?([0-9]{1,7})")
SHORT = re.compile(r"-?[0-9]{1,8}(?:\.[0-9]{1,2})?")
DIGITS = "0123456789"

Merges = Mapping[tuple[int, int], Merge]


@dataclass(slots=True)
class Book:
    """What the sheets of a workbook share."""

    strings: list[str] = field(default_factory=list)
    formats: list[NumberFormat | None] = field(default_factory=list)
    """By a cell's style; None displays as General."""
    epoch_1904: bool = False
    mark_hidden: bool = False
    margins: set[str] = field(default_factory=set)


class RichText:
    """Collects the text of `si`, `is` and comments, without the pronunciation that East Asian text may have."""

    def __init__(self) -> None:
        self._runs: list[Run] = []
        self._raised = self._in_text = False
        self._spoken = 0

    def start(self, name: str, attributes: Attributes) -> None:
        if name == "rPh":
            self._spoken += 1
        elif name == "r":
            self._raised = False
        elif name == "vertAlign":
            self._raised = attributes.get("val") == "superscript"
        self._in_text = name == "t" and not self._spoken

    def text(self, text: str) -> None:
        if self._in_text:
            self._runs.append((text, self._raised))

    def end(self, name: str) -> None:
        self._in_text = False
        if name == "rPh":
            self._spoken -= 1

    def take(self) -> str:
        runs, self._runs, self._raised = self._runs, [], False
        if len(runs) == 1:
            return runs[0][0]
        return joined(runs)


def one_line(text: str) -> str:
    return " ".join(text.split())


def column_of(letters: str) -> int:
    number = 0
    for letter in letters[:MAX_LETTERS]:
        number = number * 26 + ord(letter) - 64
    if not 0 < number <= MAX_COLUMN or len(letters) > MAX_LETTERS:
        raise CORRUPT
    return number


def place_of(reference: str) -> tuple[int, int]:
    """Return (row, column) of `B7`, from 1."""
    found = REFERENCE.fullmatch(reference)
    if found is None:
        raise CORRUPT
    return int(found[2]), column_of(found[1])


def merge_of(reference: str) -> Merge:
    first, _, last = reference.partition(":")
    (top, left), (bottom, right) = place_of(first), place_of(last or first)
    return Merge(top, left, bottom, right)


class CellReader:
    """Feeds the visible cells of `sheetData` to a grid, and remembers what could not be shown."""

    def __init__(
        self, book: Book, grid: Grid, hidden_columns: Container[int], merges: Merges, comments: dict[str, str]
    ) -> None:
        self._book = book
        self._grid = grid
        self._hidden_columns = hidden_columns
        self._merges = merges
        self._comments = comments
        self._columns: dict[str, int] = {}
        self._rich = RichText()
        self._row = self._column = 0
        self._cells: Cells = {}
        self._numbers = self._row_hidden = self._in_value = self._in_string = False
        self._formula = self._valued = False
        self._value: list[str] = []
        self._reference = self._kind = self._style = ""
        self._picture = False
        self.missing = Missing()

    def start(self, name: str, attributes: Attributes) -> None:
        if name == "c":
            self._begin_cell(attributes)
        elif name == "v":
            self._in_value = self._valued = True
        elif name == "f":
            self._formula = True
        elif name == "row":
            self._row = max(self._row + 1, int(attributes.get("r", 0)))
            self._column = 0
            self._row_hidden = attributes.get("hidden") in ("1", "true") or attributes.get("ht") == "0"
        elif name == "is":
            self._in_string = True
        elif self._in_string:
            self._rich.start(name, attributes)

    def text(self, text: str) -> None:
        if self._in_value:
            self._value.append(text)
        elif self._in_string:
            self._rich.text(text)

    def end(self, name: str) -> None:
        if name == "v":
            self._in_value = False
        elif name == "c":
            self._end_cell()
        elif name == "row":
            self._end_row()
        elif name == "is":
            self._in_string = False
        elif self._in_string:
            self._rich.end(name)

    def _begin_cell(self, attributes: Attributes) -> None:
        self._reference = attributes.get("r", "")
        letters = self._reference.rstrip(DIGITS)
        column = self._columns.get(letters)
        if column is None:
            column = self._columns[letters] = column_of(letters) if letters else 0
        self._column = column or self._column + 1
        self._kind, self._style = attributes.get("t", "n"), attributes.get("s", "0")
        self._picture = self._kind == "e" and "vm" in attributes
        self._formula = self._valued = False

    def _end_cell(self) -> None:
        value = "".join(self._value)
        self._value.clear()
        if self._kind == "inlineStr":
            value = self._rich.take()
        if self._formula and not value and not (self._valued and self._kind == "str"):
            self.missing.formulas.append(self._reference)
        text = self._shown(value) if value else ""
        if self._comments and (comment := self._comments.pop(self._reference, None)):
            text = f"{text} {comment}".lstrip()
        if text and (self._row_hidden or self._column in self._hidden_columns):
            text = self._hidden(text)
        if text:
            self._cells[self._column] = text

    def _hidden(self, text: str) -> str:
        if self._book.mark_hidden:
            return marked("Hidden", text)
        merge = self._merges.get((self._row, self._column))
        if merge and (merge.bottom > self._row or not self._row_hidden):
            self._grid.carry(merge, text)
            return ""
        if self._row_hidden:
            self.missing.hidden_rows.add(self._row)
        else:
            self.missing.hidden_columns.add(self._column)
        return ""

    def _end_row(self) -> None:
        if self._cells:
            self._grid.add(self._row, self._cells, self._numbers)
            self._cells = {}
        elif self._row_hidden:
            self._grid.pass_over(self._row, self._row)
        self._numbers = False

    def _shown(self, value: str) -> str:
        kind = self._kind
        formats, style = self._book.formats, int(self._style)
        number_format = formats[style] if style < len(formats) else None
        if kind == "n":
            self._numbers = True
            return self._number(value, number_format)
        if kind == "s":
            text = self._book.strings[int(value)]
            return self._text(text, number_format) if number_format else text
        if self._picture:
            self.missing.pictures += 1
            return ""
        if kind == "b":
            return "TRUE" if value in ("1", "true") else "FALSE"
        if kind == "d":
            self._numbers = True
            return value.removesuffix("T00:00:00").replace("T", " ")
        return self._text(value, number_format) if number_format and kind != "e" else one_line(value)

    def _text(self, value: str, number_format: NumberFormat) -> str:
        return one_line(number_format.text(value)) or self._hidden_value(one_line(value))

    def _number(self, value: str, number_format: NumberFormat | None) -> str:
        if number_format is None:
            return value if SHORT.fullmatch(value) else _general(value)
        try:
            number = float(value)
        except ValueError:
            return value
        if not isfinite(number):
            return value
        shown = number_format.number(number)
        return shown if shown or not number_format.hides else self._hidden_value(general(number))

    def _hidden_value(self, text: str) -> str:
        if not text or self._book.mark_hidden:
            return marked("Hidden", text) if text else ""
        self.missing.hidden_values += 1
        return ""


def _general(value: str) -> str:
    try:
        number = float(value)
    except ValueError:
        return value
    return general(number) if isfinite(number) else value

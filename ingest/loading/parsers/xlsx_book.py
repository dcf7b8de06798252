"""Reads what the sheets of a workbook share: its texts, number formats and first day."""

from __future__ import annotations

import zipfile

from ingest.loading.parsers.number_format import BUILT_IN, NumberFormat
from ingest.loading.parsers.ooxml import Attributes, read_xml, relations
from ingest.loading.parsers.xlsx_cells import Book, RichText, one_line
from ingest.loading.parsers.xml_tree import read_tree

NO_FORMAT = ("", "general")


def read_book(archive: zipfile.ZipFile, workbook: str, mark_hidden: bool) -> Book:
    parts = {kind: part for _, kind, part in relations(archive, workbook)}
    properties = read_tree(archive, workbook).child("workbookPr")
    book = Book(epoch_1904=properties.get("date1904") in ("1", "true"), mark_hidden=mark_hidden)
    if "sharedStrings" in parts:
        read_xml(archive, parts["sharedStrings"], _Strings(book.strings))
    if "styles" in parts:
        styles = _Styles(book.epoch_1904)
        read_xml(archive, parts["styles"], styles)
        book.formats = [styles.format_of(each) for each in styles.used]
    return book


class _Strings:
    def __init__(self, strings: list[str]) -> None:
        self._strings = strings
        self._rich = RichText()
        self.start = self._rich.start
        self.text = self._rich.text

    def end(self, name: str) -> None:
        self._rich.end(name)
        if name == "si":
            self._strings.append(one_line(self._rich.take()))


class _Styles:
    def __init__(self, epoch_1904: bool) -> None:
        self._codes = dict(BUILT_IN)
        self._formats: dict[int, NumberFormat | None] = {}
        self._epoch_1904 = epoch_1904
        self._in_cells = False
        self.used: list[int] = []

    def start(self, name: str, attributes: Attributes) -> None:
        if name == "numFmt" and "formatCode" in attributes:
            self._codes[int(attributes.get("numFmtId", 0))] = attributes["formatCode"]
        elif name == "cellXfs":
            self._in_cells = True
        elif name == "xf" and self._in_cells:
            self.used.append(int(attributes.get("numFmtId", 0)))

    def text(self, text: str) -> None:
        pass

    def end(self, name: str) -> None:
        if name == "cellXfs":
            self._in_cells = False

    def format_of(self, number: int) -> NumberFormat | None:
        code = self._codes.get(number, "")
        if code.lower() in NO_FORMAT:
            return None
        if number not in self._formats:
            self._formats[number] = NumberFormat(code, self._epoch_1904)
        return self._formats[number]

"""Reads workbooks, a page for each sheet: its cells as displayed, their comments, and what lies on them."""

from __future__ import annotations

import zipfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from app.errors import DocumentError
from ingest.loading.parsed import Notice, Options, Page, Parsed
from ingest.loading.parsers import office_notices as notices
from ingest.loading.parsers.flow import render
from ingest.loading.parsers.grid import Grid
from ingest.loading.parsers.marks import marked
from ingest.loading.parsers.ooxml import DAMAGED, numbered, open_package, read_xml, relations
from ingest.loading.parsers.shapes import ShapeReader, shapes_of
from ingest.loading.parsers.titles import meant
from ingest.loading.parsers.xlsx_book import read_book
from ingest.loading.parsers.xlsx_cells import Book, CellReader
from ingest.loading.parsers.xlsx_comments import read_comments
from ingest.loading.parsers.xlsx_controls import captions
from ingest.loading.parsers.xlsx_outline import Outline, read_outline
from ingest.loading.parsers.xml_tree import Node, read_tree
from ingest.loading.picture_marks import says_nothing
from ingest.loading.refusals import CORRUPT

WORKBOOK = r"xl/workbook(\d*)\.xml"
WITH_CELLS = ("worksheet", "xlMacrosheet", "xlIntlMacrosheet")
ANCHORS = ("twoCellAnchor", "oneCellAnchor", "absoluteAnchor")


@dataclass(frozen=True, slots=True)
class Sheet:
    number: int
    name: str
    kind: str
    part: str
    hidden: bool


def read(path: Path, options: Options) -> Parsed:
    with open_package(path) as archive:
        workbook = _workbook(archive)
        book = read_book(archive, workbook, options.hidden_parts == "mark")
        parsed = Parsed(_title(archive), [])
        if any(name.endswith(notices.MACROS_PART) for name in archive.namelist()):
            parsed.warnings.append(notices.MACROS)
        for sheet in _sheets(archive, workbook):
            if sheet.hidden and not book.mark_hidden:
                parsed.warnings.append(notices.hidden("a hidden sheet", part=sheet.name))
            elif text := SheetReader(archive, book, sheet, parsed.warnings, options).text():
                name = marked("Hidden", sheet.name) if sheet.hidden else sheet.name
                parsed.pages.append(Page(sheet.number, f"## {name}\n\n{text}"))
        return parsed


def _workbook(archive: zipfile.ZipFile) -> str:
    main = [part for _, kind, part in relations(archive, "") if kind == "officeDocument"]
    if not main:
        main = [each for each in archive.namelist() if each == "xl/workbook.xml"] or numbered(archive, WORKBOOK)
    if not main:
        raise CORRUPT
    return main[0]


def _sheets(archive: zipfile.ZipFile, workbook: str) -> Iterator[Sheet]:
    parts = {key: (kind, part) for key, kind, part in relations(archive, workbook)}
    for number, sheet in enumerate(read_tree(archive, workbook).child("sheets").children("sheet"), 1):
        kind, part = parts.get(sheet.attributes.get("r:id", sheet.get("id")), ("", ""))
        if not part:
            raise CORRUPT
        yield Sheet(number, sheet.get("name"), kind, part, sheet.get("state", "visible") != "visible")


def _title(archive: zipfile.ZipFile) -> str | None:
    try:
        core = next(part for _, kind, part in relations(archive, "") if kind == "core-properties")
        return meant(read_tree(archive, core).child("title").text)
    except (StopIteration, DocumentError, *DAMAGED):
        return None


class SheetReader:
    """Reads one sheet. What is damaged beside its cells becomes a notice."""

    def __init__(
        self, archive: zipfile.ZipFile, book: Book, sheet: Sheet, warnings: list[Notice], options: Options
    ) -> None:
        self._archive = archive
        self._book = book
        self._sheet = sheet
        self._warnings = warnings
        self._options = options
        self._beside = relations(archive, sheet.part)

    def text(self) -> str:
        outline = read_outline(self._archive, self._sheet.part)
        comments = self._comments()
        cells = self._cells(outline, comments) if self._sheet.kind in WITH_CELLS else ""
        if objects := sum(kind in ("oleObject", "package") for _, kind, _ in self._beside):
            self._warnings.append(notices.embedded(objects, part=self._sheet.name))
        drawings = [self._drawing(part) for part in self._parts("drawing")]
        controls = [each for each in self._controls() if each not in "\n".join(drawings)]
        # On cells that the file does not list, or that are hidden.
        content = [each for each in (cells, *comments.values(), *drawings, *controls) if each]
        if all(map(says_nothing, content)):
            return ""
        heads, feet = (self._once(each) for each in (outline.margins.heads(), outline.margins.feet()))
        return "\n\n".join([*heads, *content, *feet])

    def _once(self, margins: Iterable[str]) -> list[str]:
        """Return the heads or feet that no sheet above has."""
        new = [each for each in margins if each not in self._book.margins]
        self._book.margins.update(new)
        return new

    def _parts(self, kind: str) -> list[str]:
        return [part for _, each, part in self._beside if each == kind]

    def _comments(self) -> dict[str, str]:
        try:
            return read_comments(self._archive, self._parts("comments"), self._parts("threadedComment"))
        except (DocumentError, *DAMAGED):
            self._warnings.append(notices.unreadable("Comments", part=self._sheet.name))
            return {}

    def _controls(self) -> list[str]:
        try:
            return [text for part in self._parts("vmlDrawing") for text in captions(self._archive, part)]
        except (DocumentError, *DAMAGED):
            # Old programs write such drawings carelessly, most of them for comments alone.
            return []

    def _cells(self, outline: Outline, comments: dict[str, str]) -> str:
        merges = outline.shown_merges()
        grid = Grid(merges.values())
        cells = CellReader(self._book, grid, outline.hidden_columns, merges, comments)
        read_xml(self._archive, self._sheet.part, cells)
        self._warnings.extend(notices.missing(cells.missing, self._sheet.name))
        return grid.text()

    def _drawing(self, part: str) -> str:
        """Read the shapes by the cells at which they begin."""
        name = self._sheet.name
        try:
            reader = ShapeReader(self._archive, part, self._book.mark_hidden, self._options)
            anchors = sorted(read_tree(self._archive, part).all(*ANCHORS), key=_place)
            blocks = [block for anchor in anchors for block in reader.blocks(list(shapes_of(anchor)))]
        except (DocumentError, *DAMAGED):
            self._warnings.append(notices.unreadable("Text boxes and charts", part=name))
            return ""
        self._warnings.extend(reader.notices(part=name))
        return render(blocks)


def _place(anchor: Node) -> tuple[int, int]:
    start = anchor.child("from")
    return int(start.child("row").text or 0), int(start.child("col").text or 0)

"""Reads what is drawn in OpenDocument files: text boxes, groups, tables, charts, pictures, embedded objects."""

from __future__ import annotations

import posixpath
import zipfile
from collections.abc import Iterator, Sequence

from app.errors import DocumentError
from ingest.loading.parsed import DEFAULTS, Notice, Options
from ingest.loading.parsers import office_notices as notices
from ingest.loading.parsers.flow import Block, Table
from ingest.loading.parsers.marks import marked
from ingest.loading.parsers.mathml import latex
from ingest.loading.parsers.odf_text import Styles, alternative_text, box_of, paragraphs, repeated
from ingest.loading.parsers.ooxml import DAMAGED
from ingest.loading.parsers.shapes import EMU_PER_POINT, with_pictures
from ingest.loading.parsers.xml_tree import Node, read_tree
from ingest.loading.picture_marks import in_points, picture_text, waits

SHAPES = (
    *("frame", "custom-shape", "g", "rect", "ellipse", "circle", "line", "polygon", "polyline", "path", "connector"),
    *("regular-polygon", "caption", "measure", "a"),
)
MAX_COLUMNS = 1 << 14


class ShapeReader:
    """Reads shapes, and counts what it could not read."""

    def __init__(self, archive: zipfile.ZipFile, styles: Styles, options: Options = DEFAULTS) -> None:
        self._archive = archive
        self._styles = styles
        self._options = options
        self._pictures = self._embedded = self._unreadable = 0

    def blocks(self, shapes: Sequence[Node]) -> Iterator[Block]:
        read = [(box_of(shape), list(self._shape(shape))) for shape in shapes]
        for blocks in with_pictures(read):
            yield from blocks

    def notices(self, *, part: str | None = None, page: int | None = None) -> Iterator[Notice]:
        if self._pictures:
            yield notices.pictures(self._pictures, part=part, page=page)
        if self._embedded:
            yield notices.embedded(self._embedded, part=part, page=page)
        if self._unreadable:
            yield notices.unreadable(notices.counted(self._unreadable, "chart"), part=part, page=page)

    def _shape(self, shape: Node) -> Iterator[Block]:
        if shape.name in ("g", "a"):
            yield from self.blocks([each for each in shape if each.name in SHAPES])
        elif shape.name != "frame":
            yield from paragraphs(shape, self._styles.raised)
        elif table := shape.child("table"):
            yield read_table(table, self._styles)
        elif box := shape.child("text-box"):
            yield from paragraphs(box, self._styles.raised)
        elif math := shape.child("object", "math"):
            yield f"${latex(math).strip()}$"
        elif shape.child("object"):
            yield from self.object_blocks(shape.child("object").get("href"))
        elif shape.child("object-ole") or shape.child("plugin"):
            self._embedded += 1
        elif shape.child("image"):
            alt, place = alternative_text(shape), box_of(shape)
            size = place.right - place.left, place.bottom - place.top
            if text := self.picture(shape.child("image").get("href"), size, alt):
                yield text

    def picture(self, href: str, size: tuple[float, float], alt: str) -> str:
        """Return what a picture leaves in the text, and count it if nothing says what it shows."""
        part = posixpath.normpath(href)
        name = part if part in self._archive.NameToInfo else ""
        self._pictures += not alt and not waits(self._options, name)
        shown = marked("Picture", alt) if alt else ""
        return picture_text(self._options, name, in_points(*size, EMU_PER_POINT), alt, shown)

    def object_blocks(self, href: str) -> Iterator[Block]:
        part = posixpath.normpath(posixpath.join(href, "content.xml"))
        try:
            root = read_tree(self._archive, part)
            if root.name == "math":
                yield f"${latex(root).strip()}$"
                return
            chart = root.child("body", "chart", "chart")
            if not chart:
                self._embedded += 1
                return
            # Below its title and axes a chart keeps the table of its values.
            titles = [text for title in chart.all("title") for text in paragraphs(title)]
            yield from titles
            yield from (read_table(table, self._styles) for table in chart.all("table"))
        except (DocumentError, *DAMAGED):
            self._unreadable += 1


def read_table(node: Node, styles: Styles) -> Table:
    table = Table()
    for row, cells in enumerate(node.all("table-row")):
        column = 0
        for cell in cells:
            times = repeated(cell, "number-columns-repeated")
            if cell.name == "table-cell":
                for at in range(column, min(column + times, MAX_COLUMNS)):
                    table.cells[row, at] = list(paragraphs(cell, styles.raised))
                spans = repeated(cell, "number-rows-spanned"), repeated(cell, "number-columns-spanned")
                if spans != (1, 1):
                    table.spans[row, column] = spans
            column += times
    return table

"""Reads the shapes of slides and worksheets: text boxes, groups, tables, charts, SmartArt, pictures."""

from __future__ import annotations

import re
import zipfile
from collections.abc import Callable, Iterator, Sequence

from app.errors import DocumentError
from ingest.loading.parsed import DEFAULTS, Notice, Options
from ingest.loading.parsers import office_notices as notices
from ingest.loading.parsers.captions import begins_caption
from ingest.loading.parsers.chart import read_chart
from ingest.loading.parsers.drawing_text import paragraphs
from ingest.loading.parsers.flow import Block, Table
from ingest.loading.parsers.marks import marked
from ingest.loading.parsers.ooxml import DAMAGED, relations
from ingest.loading.parsers.reading_order import Box, in_reading_order
from ingest.loading.parsers.smart_art import read_smart_art
from ingest.loading.parsers.xml_tree import Node
from ingest.loading.picture_marks import caption, in_points, picture_text, says_nothing, waits

SHAPES = ("sp", "graphicFrame", "pic", "grpSp")
GENERATED = re.compile(r"automatically generated|AI-generated|자동 생성된 설명|AI 생성 콘텐츠", re.IGNORECASE)
EMU_PER_POINT = 12_700
FILE_NAME = re.compile(r"\S*\.\w{2,4}|https?:\S*")

PlaceOf = Callable[[Node], Box]


def box_of(shape: Node) -> Box:
    """Return where the shape says it stands: within its group, or on the slide."""
    frames = (shape.child("spPr", "xfrm"), shape.child("xfrm"), shape.child("grpSpPr", "xfrm"))
    frame = next((each for each in frames if each.child("off")), frames[0])
    start, size = frame.child("off"), frame.child("ext")
    left, top = _length(start, "x"), _length(start, "y")
    return Box(left, top, left + _length(size, "cx"), top + _length(size, "cy"))


def shapes_of(tree: Node) -> Iterator[Node]:
    """Yield the shapes right below; of two versions of one, that for programs of today."""
    for each in tree:
        if each.name in SHAPES:
            yield each
        elif each.name in ("AlternateContent", "Choice"):
            yield from shapes_of(each)


class ShapeReader:
    """Reads the shapes of one part, and counts what it could not read."""

    def __init__(self, archive: zipfile.ZipFile, part: str, mark_hidden: bool, options: Options = DEFAULTS) -> None:
        self._archive = archive
        self._parts = {key: target for key, _, target in relations(archive, part)}
        self._mark_hidden = mark_hidden
        self._options = options
        self._pictures = self._hidden = self._unreadable = self._embedded = 0

    def blocks(self, shapes: Sequence[Node], place_of: PlaceOf = box_of) -> Iterator[Block]:
        read = [(place_of(shape), list(self._visible(shape))) for shape in shapes]
        for blocks in with_pictures(read):
            yield from blocks

    def notices(self, *, part: str | None = None, page: int | None = None) -> Iterator[Notice]:
        if self._pictures:
            yield notices.pictures(self._pictures, part=part, page=page)
        if self._hidden:
            yield notices.hidden(notices.counted(self._hidden, "hidden shape"), part=part, page=page)
        if self._embedded:
            yield notices.embedded(self._embedded, part=part, page=page)
        if self._unreadable:
            yield notices.unreadable(notices.counted(self._unreadable, "chart or diagram"), part=part, page=page)

    def _visible(self, shape: Node) -> Iterator[Block]:
        if not _is_hidden(shape):
            yield from self._shape(shape)
        elif self._mark_hidden:
            if texts := [block for block in self._shape(shape) if isinstance(block, str)]:
                yield marked("Hidden", "\n".join(texts))
        else:
            self._hidden += shape.name != "sp" or bool(shape.text.strip())

    def _shape(self, shape: Node) -> Iterator[Block]:
        match shape.name:
            case "grpSp":
                yield from self.blocks(list(shapes_of(shape)))
            case "pic":
                yield from self._picture(shape)
            case "sp":
                texts = [text for text in paragraphs(shape.child("txBody")) if text.strip()]
                is_caption = len(texts) == 1 and begins_caption(texts[0])
                yield from (caption(self._options, text) for text in texts) if is_caption else texts
            case _:
                yield from self._graphic(shape)

    def _picture(self, shape: Node) -> Iterator[str]:
        part = next((self._parts.get(each.get("embed"), "") for each in shape.all("blip")), "")
        alt = _alternative_text(shape)
        self._pictures += not alt and not waits(self._options, part)
        left, top, right, bottom = box_of(shape)
        size = in_points(right - left, bottom - top, EMU_PER_POINT)
        if text := picture_text(self._options, part, size, alt, marked("Picture", alt) if alt else ""):
            yield text

    def _graphic(self, frame: Node) -> Iterator[Block]:
        for each in frame.child("graphic", "graphicData").all("tbl", "chart", "relIds", "oleObj"):
            try:
                match each.name:
                    case "tbl":
                        yield read_table(each)
                    case "chart":
                        yield from read_chart(self._archive, self._parts[each.get("id")])
                    case "relIds":
                        yield from read_smart_art(self._archive, self._parts[each.get("dm")])
                    case _:
                        self._embedded += 1
                        return
            except (DocumentError, *DAMAGED):
                self._unreadable += 1


def with_pictures(read: Sequence[tuple[Box, list[Block]]]) -> list[list[Block]]:
    """Put what shapes say into reading order. One that says nothing, such as a frame around all others or a picture
    that is only noted, is in the way of none."""
    speaking = [each for each in read if not all(isinstance(block, str) and says_nothing(block) for block in each[1])]
    order, whole = in_reading_order(speaking), in_reading_order([each for each in read if each[1]])
    if len(order) == len(whole):
        return order
    ids = list(map(id, order))
    known = set(ids)
    if [id(each) for each in whole if id(each) in known] == ids:
        return whole
    return [*order, *(each for each in whole if id(each) not in known)]


def read_table(node: Node) -> Table:
    table = Table()
    for row, cells in enumerate(node.children("tr")):
        for column, cell in enumerate(cells.children("tc")):
            if {cell.get("hMerge"), cell.get("vMerge")} & {"1", "true"}:
                continue
            table.cells[row, column] = [text for text in paragraphs(cell.child("txBody")) if text.strip()]
            rows, columns = int(cell.get("rowSpan", "1")), int(cell.get("gridSpan", "1"))
            if rows > 1 or columns > 1:
                table.spans[row, column] = (rows, columns)
    return table


def _is_hidden(shape: Node) -> bool:
    named = (each.child("cNvPr") for each in shape if each.name.startswith("nv"))
    return any(each.get("hidden") in ("1", "true") for each in named)


def _alternative_text(shape: Node) -> str:
    return worth_reading(next((each.get("descr") for each in shape.all("cNvPr")), ""))


def worth_reading(description: str) -> str:
    """Return what the author says of a picture; a file's name or a program's guess says nothing."""
    text = " ".join(description.split())
    return "" if GENERATED.search(text) or FILE_NAME.fullmatch(text) else text


def _length(node: Node, name: str) -> int:
    return int(node.get(name, "0"))

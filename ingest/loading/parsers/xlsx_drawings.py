"""Reads what lies on a worksheet's cells: text boxes, shapes, charts and pictures, from the top."""

from __future__ import annotations

import re
import zipfile
from collections.abc import Iterator

from app.errors import DocumentError
from ingest.loading.parsers.chart import read_chart
from ingest.loading.parsers.drawing_text import paragraphs
from ingest.loading.parsers.flow import Block, render
from ingest.loading.parsers.marks import marked
from ingest.loading.parsers.ooxml import DAMAGED, relations
from ingest.loading.parsers.xml_tree import Node, read_tree

ANCHORS = ("twoCellAnchor", "oneCellAnchor", "absoluteAnchor")
GENERATED = re.compile(r"[^.\n]*\n*\s*(?:Description automatically generated|자동 생성된 설명).*", re.DOTALL)
FILE_NAME = re.compile(r"\S*\.\w{2,4}|https?:\S*")
SHAPES = ("sp", "graphicFrame", "pic")


class Drawing:
    """The shapes of one drawing part."""

    def __init__(self, archive: zipfile.ZipFile, part: str, mark_hidden: bool) -> None:
        self._archive = archive
        self._parts = {key: part for key, _, part in relations(archive, part)}
        self._mark_hidden = mark_hidden
        self._root = read_tree(archive, part)
        self.pictures = self.hidden = self.unreadable = 0

    def text(self) -> str:
        anchors = sorted(self._root.all(*ANCHORS), key=_place)
        return render([block for anchor in anchors for block in self._blocks(anchor)])

    def _blocks(self, node: Node) -> Iterator[Block]:
        for each in node:
            if each.name == "Fallback":
                # The same content again, for programs that cannot show the first.
                continue
            if each.name not in SHAPES:
                yield from self._blocks(each)
            elif is_hidden(each):
                yield from self._hidden(each)
            else:
                yield from self._shape(each)

    def _hidden(self, shape: Node) -> Iterator[Block]:
        texts = [block for block in self._shape(shape) if isinstance(block, str)]
        self.hidden += not self._mark_hidden
        if self._mark_hidden and texts:
            yield marked("Hidden", "\n".join(texts))

    def _shape(self, shape: Node) -> Iterator[Block]:
        if shape.name == "pic":
            described = alternative_text(shape)
            self.pictures += not described
            if described:
                yield marked("Picture", described)
            return
        yield from (text for body in shape.all("txBody") for text in paragraphs(body) if text.strip())
        for chart in shape.all("chart"):
            try:
                yield from read_chart(self._archive, self._parts[chart.get("id")])
            except (*DAMAGED, DocumentError):
                self.unreadable += 1


def is_hidden(shape: Node) -> bool:
    return any(each.get("hidden") in ("1", "true") for each in shape.all("cNvPr"))


def _place(anchor: Node) -> tuple[int, int]:
    start = anchor.child("from")
    row, column = start.child("row").text, start.child("col").text
    return (int(row), int(column)) if row.isdigit() and column.isdigit() else (0, 0)


def alternative_text(shape: Node) -> str:
    """Return what the author says of a picture; a file's name or a program's guess says nothing."""
    described = next((each.get("descr") for each in shape.all("cNvPr")), "")
    text = GENERATED.sub("", described).strip()
    return "" if FILE_NAME.fullmatch(text) else text

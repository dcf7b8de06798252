"""Reads what is anchored in paragraphs: pictures, charts, diagrams and embedded objects."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from functools import partial
from zipfile import ZipFile

from ingest.loading.parsers.chart import read_chart
from ingest.loading.parsers.flow import Block
from ingest.loading.parsers.marks import marked
from ingest.loading.parsers.ooxml import Attributes, relations
from ingest.loading.parsers.shapes import worth_reading
from ingest.loading.parsers.smart_art import read_smart_art
from ingest.loading.parsers.word.attributes import number, value
from ingest.loading.parsers.word.story import Handlers, Story
from ingest.loading.picture_marks import Size, in_points, picture_text, waits

EMU_PER_POINT = 12_700
POINTS = {"pt": 1.0, "in": 72.0, "cm": 72 / 2.54, "mm": 72 / 25.4, "px": 0.75, "": 0.75}
STYLED = {
    name: re.compile(rf"(?:^|;)\s*{name}\s*:\s*(\d{{1,6}}(?:\.\d{{1,6}})?)(pt|in|cm|mm|px|)\s*(?:;|$)")
    for name in ("width", "height")
}
OBJECTS = ("OLEObject", "control", "altChunk", "subDoc", "contentPart")


class Drawings:
    def __init__(self, story: Story, part: str) -> None:
        self._story = story
        self._context = story.context
        self._targets = {key: target for key, _, target in relations(story.context.archive, part)}
        self._read: set[str] = set()
        self._description = ""
        self._size: Size | None = None
        self._objects = 0
        self.starts: Handlers = dict.fromkeys(OBJECTS, self._object) | {
            "docPr": self._describe, "cNvPr": self._describe, "blip": self._picture, "imagedata": self._picture,
            "textpath": self._word_art, "extent": self._measure, "shape": self._measure_shape,
            "object": partial(self._count, 1), "chart": self._chart,
            "relIds": self._diagram,
        }  # fmt: skip
        self.ends = {"object": partial(self._count, -1, {})}

    def _describe(self, attributes: Attributes) -> None:
        self._description = worth_reading(value(attributes, "descr")) or self._description

    def _measure(self, attributes: Attributes) -> None:
        self._size = in_points(number(attributes, "cx"), number(attributes, "cy"), EMU_PER_POINT)

    def _measure_shape(self, attributes: Attributes) -> None:
        """Read the size of a picture of before 2007."""
        sides = (STYLED[name].search(value(attributes, "style")) for name in ("width", "height"))
        width, height = (float(found[1]) * POINTS[found[2]] if found else 0.0 for found in sides)
        self._size = in_points(width, height, 1)

    def _picture(self, attributes: Attributes) -> None:
        if self._story.visible and not self._objects:
            target = self._targets.get(value(attributes, "embed") or value(attributes, "id"), "")
            shown = marked("Picture", self._description) if self._description else ""
            options = self._context.options
            self._context.pictures += not shown and not waits(options, target)
            self._story.add_later(picture_text(options, target, self._size, self._description, shown))
        self._description, self._size = "", None

    def _word_art(self, attributes: Attributes) -> None:
        self._story.add_later(value(attributes, "string"))

    def _object(self, _: Attributes) -> None:
        self._context.objects += self._story.visible

    def _count(self, step: int, _: Attributes) -> None:
        self._objects += step

    def _chart(self, attributes: Attributes) -> None:
        self._write(value(attributes, "id"), read_chart)

    def _diagram(self, attributes: Attributes) -> None:
        self._write(value(attributes, "dm"), read_smart_art)

    def _write(self, key: str, read: Callable[[ZipFile, str], Sequence[Block]]) -> None:
        """Write a chart or diagram after its paragraph, once, however often the part refers to it."""
        target = self._targets.get(key, "")
        if not target or target in self._read or not self._story.visible:
            return
        self._read.add(target)
        self._description = ""
        with self._context.unless_damaged(target):
            self._story.paragraph.later += read(self._context.archive, target)

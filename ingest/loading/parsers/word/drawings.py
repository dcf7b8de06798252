"""Reads what is anchored in paragraphs: pictures, charts, diagrams and embedded objects."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from zipfile import ZipFile

from ingest.loading.parsers.chart import read_chart
from ingest.loading.parsers.flow import Block
from ingest.loading.parsers.marks import marked
from ingest.loading.parsers.ooxml import Attributes, relations
from ingest.loading.parsers.shapes import worth_reading
from ingest.loading.parsers.smart_art import read_smart_art
from ingest.loading.parsers.word.attributes import value
from ingest.loading.parsers.word.story import Handlers, Story
from ingest.loading.picture_places import place_of

OBJECTS = ("OLEObject", "control", "altChunk", "subDoc", "contentPart")


class Drawings:
    def __init__(self, story: Story, part: str) -> None:
        self._story = story
        self._context = story.context
        self._targets = {key: target for key, _, target in relations(story.context.archive, part)}
        self._read: set[str] = set()
        self._description = ""
        self._objects = 0
        self.starts: Handlers = dict.fromkeys(OBJECTS, self._object) | {
            "docPr": self._describe, "cNvPr": self._describe, "blip": self._picture, "imagedata": self._picture,
            "textpath": self._word_art, "object": partial(self._count, 1), "chart": self._chart,
            "relIds": self._diagram,
        }  # fmt: skip
        self.ends = {"object": partial(self._count, -1, {})}

    def _describe(self, attributes: Attributes) -> None:
        self._description = worth_reading(value(attributes, "descr")) or self._description

    def _picture(self, attributes: Attributes) -> None:
        if self._story.visible and not self._objects:
            target = self._targets.get(value(attributes, "embed") or value(attributes, "id"))
            if self._description:
                self._story.add_later(marked("Picture", self._description))
            elif target and self._context.options.picture_places:
                self._story.add_later(place_of(target))
            else:
                self._context.pictures += 1
        self._description = ""

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

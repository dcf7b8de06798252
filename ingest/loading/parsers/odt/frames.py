"""Reads frames: pictures with their descriptions, equations, charts and other objects."""

from __future__ import annotations

from ingest.loading.parsers.odf_shapes import ShapeReader
from ingest.loading.parsers.odf_text import length
from ingest.loading.parsers.odt.story import Story
from ingest.loading.parsers.ooxml import Attributes
from ingest.loading.parsers.shapes import worth_reading


class Frames:
    def __init__(self, story: Story, shapes: ShapeReader) -> None:
        self.shapes = shapes
        self._story = story
        self._description = ""
        self._has_object = self._has_picture = False
        self._href = ""
        self._size = 0, 0

    def start(self, attributes: Attributes) -> None:
        self._description = ""
        self._size = length(attributes.get("width", "")), length(attributes.get("height", ""))
        self._has_object = self._has_picture = False

    def describe(self, text: str) -> None:
        self._description = worth_reading(text) or self._description

    def image(self, attributes: Attributes) -> None:
        """Keep in mind that there is a picture: beside an object it only shows what that looks like."""
        # A frame may hold the same picture in several formats: the first is the best.
        if not self._has_picture:
            self._href = attributes.get("href", "")
        self._has_picture = True

    def object(self, attributes: Attributes) -> None:
        self._has_object = True
        if not self._story.visible or "href" not in attributes:
            # An equation without a part of its own follows as text.
            return
        blocks = list(self.shapes.object_blocks(attributes.get("href", "")))
        if len(blocks) == 1 and isinstance(blocks[0], str) and blocks[0].startswith("$"):
            self._story.add(blocks[0])
        else:
            self._story.add_later(blocks)

    def end(self) -> None:
        if self._has_picture and not self._has_object and self._story.visible:
            text = self.shapes.picture(self._href, self._size, self._description)
            self._story.add_later([text] if text else [])
        self._has_picture = False

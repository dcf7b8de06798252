"""Reads the pictures in the XML of a section."""

from __future__ import annotations

from collections.abc import Callable

from ingest.loading.parsers.hancom.attributes import number
from ingest.loading.parsers.hancom.body import Body
from ingest.loading.parsers.hancom.hwp5_layout import UNITS_PER_POINT
from ingest.loading.parsers.ooxml import Attributes
from ingest.loading.picture_marks import Size, in_points


class SectionPictures:
    """`name_of` names the file of a picture by its key."""

    def __init__(self, body: Body, name_of: Callable[[str], str]) -> None:
        self._body = body
        self._name_of = name_of
        self._name = self._description = ""
        self._size: Size | None = None

    def open(self, _: Attributes) -> None:
        self._name = self._description = ""
        self._size = None

    def name(self, attributes: Attributes) -> None:
        self._name = self._name_of(attributes.get("binaryItemIDRef", ""))

    def measure(self, attributes: Attributes) -> None:
        self._size = in_points(number(attributes, "width"), number(attributes, "height"), UNITS_PER_POINT)

    def describe(self, text: str) -> None:
        self._description = text

    def close(self) -> None:
        self._body.add_picture(self._description, self._name, self._size)

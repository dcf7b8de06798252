"""Reads the head of HWPX, and of HWPML once its names are translated: shapes of paragraphs, numberings, bullets."""

from __future__ import annotations

from ingest.loading.parsers.hancom.attributes import number
from ingest.loading.parsers.hancom.numbers import named
from ingest.loading.parsers.hancom.styles import BULLET, NUMBER, OUTLINE, Level, Shape, Styles
from ingest.loading.parsers.ooxml import Attributes

HEADS = (OUTLINE, NUMBER, BULLET)


class HeadReader:
    def __init__(self, styles: Styles) -> None:
        self._styles = styles
        self._shape = self._characters = 0
        self._levels: dict[int, Level] | None = None
        self._level: Attributes = {}
        self._pattern: list[str] | None = None
        self.starts = {
            "charPr": self._open_characters,
            "supscript": lambda _: self._styles.raised.add(self._characters),
            "paraPr": self._open_shape,
            "heading": self._set_heading,
            "breakSetting": self._set_breaks,
            "numbering": self._open_numbering,
            "paraHead": self._open_level,
            "bullet": self._add_bullet,
        }
        self.ends = {"paraHead": self._close_level, "numbering": self._close_numbering}

    def text(self, text: str) -> None:
        if self._pattern is not None:
            self._pattern.append(text)

    def _open_characters(self, attributes: Attributes) -> None:
        self._characters = number(attributes, "id")

    def _open_shape(self, attributes: Attributes) -> None:
        self._shape = number(attributes, "id")

    def _set_heading(self, attributes: Attributes) -> None:
        head = attributes.get("type", "").lower()
        if head in HEADS:
            self._styles.shapes[self._shape] = Shape(head, number(attributes, "idRef"), number(attributes, "level"))

    def _set_breaks(self, attributes: Attributes) -> None:
        if attributes.get("pageBreakBefore", "0") in ("1", "true"):
            self._styles.begin_pages.add(self._shape)

    def _open_numbering(self, attributes: Attributes) -> None:
        self._levels = self._styles.numberings[number(attributes, "id")] = {}

    def _close_numbering(self) -> None:
        self._levels = None

    def _open_level(self, attributes: Attributes) -> None:
        self._level, self._pattern = attributes, []

    def _close_level(self) -> None:
        if self._levels is not None:
            start = number(self._level, "start") if "start" in self._level else 1
            pattern, shown = "".join(self._pattern or ()), named(self._level.get("numFormat", ""))
            self._levels[number(self._level, "level") - 1] = Level(pattern, shown, start)
        self._pattern = None

    def _add_bullet(self, attributes: Attributes) -> None:
        self._styles.bullets[number(attributes, "id")] = attributes.get("char", "")

"""Reads a section of HWPX with the layout of its lines and pages."""

from __future__ import annotations

from collections.abc import Callable

from ingest.loading.parsers.hancom.attributes import number
from ingest.loading.parsers.hancom.layout import Line
from ingest.loading.parsers.hancom.sections import CHECKED, SectionReader
from ingest.loading.parsers.ooxml import Attributes

MARGINS = ("top", "bottom", "header", "footer")


class LaidOutReader(SectionReader):
    def _start_handlers(self) -> dict[str, Callable[[Attributes], None]]:
        self._lines: list[Line] = []
        self._page_height = 0
        handlers = super()._start_handlers()
        self._open_text_paragraph = handlers["p"]
        return handlers | {
            "p": self._open_paragraph, "linesegarray": self._open_lines, "lineseg": self._take_line,
            "lines": self._take_lines, "pagePr": self._open_page, "margin": self._take_margins, "sz": self._take_size,
            "colPr": lambda attributes: self._body.layout.set_columns(number(attributes, "colCount")),
        }  # fmt: skip

    def _end_handlers(self) -> dict[str, Callable[[], None]]:
        return super()._end_handlers() | {"p": self._close_paragraph}

    def _open_paragraph(self, attributes: Attributes) -> None:
        self._open_text_paragraph(attributes)
        if (layout := self._body.text_layout) and attributes.get("pageBreak", "0") in CHECKED:
            layout.break_page()

    def _open_lines(self, _: Attributes) -> None:
        self._lines = []

    def _take_line(self, attributes: Attributes) -> None:
        self._lines.append((number(attributes, "vertpos"), number(attributes, "vertsize")))

    def _take_lines(self, attributes: Attributes) -> None:
        if not self._frames:
            numbers = map(int, attributes["of"].split())
            self._lines = list(zip(numbers, numbers, strict=True))

    def _close_paragraph(self) -> None:
        self._body.lay_out(self._lines)
        self._lines = []
        self._body.close_paragraph()

    def _open_page(self, attributes: Attributes) -> None:
        # It is named for the paper: `NARROWLY` turns it.
        turned = attributes.get("landscape") == "NARROWLY"
        self._page_height = number(attributes, "width" if turned else "height")

    def _take_margins(self, attributes: Attributes) -> None:
        if self._page_height:
            self._body.layout.set_page(self._page_height, *(number(attributes, name) for name in MARGINS))
            self._page_height = 0

    def _take_size(self, attributes: Attributes) -> None:
        self._pictures.measure(attributes)
        if (layout := self._body.text_layout) and self._frames == ["tbl"]:
            layout.hold_table(number(attributes, "height"))

"""Reads the settings of a document, and its properties."""

from __future__ import annotations

from ingest.loading.parsers.ooxml import Attributes
from ingest.loading.parsers.word.attributes import is_on, value

NOTES = {"footnotePr": "footnote", "endnotePr": "endnote"}


class Settings:
    """Receives `settings.xml`: how notes are numbered, and whether even pages have headers of their own."""

    def __init__(self) -> None:
        self.formats: dict[str, str] = {}
        self.has_even = False
        self._notes = ""

    def start(self, name: str, attributes: Attributes) -> None:
        if name in NOTES:
            self._notes = NOTES[name]
        elif name == "numFmt" and self._notes:
            self.formats[self._notes] = value(attributes)
        elif name == "evenAndOddHeaders":
            self.has_even = is_on(attributes)

    def text(self, text: str) -> None:
        pass

    def end(self, name: str) -> None:
        if name in NOTES:
            self._notes = ""


class Properties:
    """Receives `docProps/core.xml` and `app.xml`: the title, and how many pages Word counted when it saved the file."""

    def __init__(self) -> None:
        self._texts: dict[str, list[str]] = {"title": [], "Pages": []}
        self._open: list[str] | None = None

    @property
    def title(self) -> str:
        return "".join(self._texts["title"])

    @property
    def pages(self) -> int:
        digits = "".join(self._texts["Pages"]).strip()
        return int(digits) if digits.isascii() and digits.isdigit() and len(digits) < 9 else 0

    def start(self, name: str, _: Attributes) -> None:
        self._open = self._texts.get(name)

    def text(self, text: str) -> None:
        if self._open is not None:
            self._open.append(text)

    def end(self, _: str) -> None:
        self._open = None

"""Keeps the white space of HTML that a browser shows: that of `pre`, and of elements whose style says so."""

from __future__ import annotations

import re

from ingest.loading.parsers.html_tokens import Start

# Which white space is kept: line ends, or all of it, as in a text or in code.
LINES, ALL, CODE = "lines", "all", "code"
WHITE_SPACE = re.compile(r"\bwhite-space\s*:\s*(?:(pre-line)|(pre(?:-wrap)?|break-spaces)|[a-z])", re.IGNORECASE)
SPACE, SPACE_IN_LINE = re.compile(r"[ \t\r\n\f\xa0]+"), re.compile(r"[ \t\r\f\xa0]+")
AROUND_BREAK, SPACES = re.compile(r" *\n *"), re.compile(r" {2,}")
# Lines of preformatted text that would read as a heading or a table.
STRUCTURAL = re.compile(r"^(?:#{1,6}\s|\|)", re.MULTILINE)


class HtmlSpace:
    def __init__(self) -> None:
        self._open: list[tuple[int, str]] = []
        """Where elements began that say which white space they keep, and which; none if ""."""

    @property
    def is_code(self) -> bool:
        return self._kept == CODE

    @property
    def _kept(self) -> str:
        return self._open[-1][1] if self._open else ""

    def start(self, tag: Start, place: int) -> None:
        if found := WHITE_SPACE.search(tag.attributes):
            self._open.append((place, LINES if found[1] else ALL if found[2] else ""))
        elif tag.name == "pre":
            self._open.append((place, CODE))

    def end(self, place: int) -> None:
        if self._open and self._open[-1][0] == place:
            self._open.pop()

    def squeezed(self, text: str) -> str:
        """Return a text of the page as it is shown in the element in hand."""
        if self._kept in (ALL, CODE):
            return text
        return (SPACE_IN_LINE if self._kept else SPACE).sub(" ", text)

    def paragraph(self, text: str) -> str:
        """Return a paragraph without spaces around its line ends, and without several together, unless all are kept."""
        return text.strip("\n") if self._kept == ALL else AROUND_BREAK.sub("\n", SPACES.sub(" ", text))


def fenced(text: str) -> str:
    text = text.strip("\n")
    return f"```\n{text}\n```" if STRUCTURAL.search(text) else text

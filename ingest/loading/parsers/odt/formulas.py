"""Reads the equations that stand in the text itself, and not in a part of their own."""

from __future__ import annotations

from ingest.loading.parsers.mathml import latex
from ingest.loading.parsers.odt.elements import TextReader
from ingest.loading.parsers.ooxml import Attributes
from ingest.loading.parsers.xml_tree import Node, PieceReader

MATH = "math"


class WithFormulas:
    """Hands on what is read but the elements of equations, for which it writes LaTeX."""

    def __init__(self, reader: TextReader) -> None:
        self._reader = reader
        self._pieces = PieceReader({MATH: self._take}, {})
        self._depth = 0

    def start(self, name: str, attributes: Attributes) -> None:
        if self._depth or name == MATH:
            self._depth += 1
            self._pieces.start(name, attributes)
        else:
            self._reader.start(name, attributes)

    def text(self, text: str) -> None:
        (self._pieces if self._depth else self._reader).text(text)

    def end(self, name: str) -> None:
        if self._depth:
            self._depth -= 1
            self._pieces.end(name)
        else:
            self._reader.end(name)

    def _take(self, math: Node) -> None:
        self._reader.text(f"${latex(math).strip()}$")

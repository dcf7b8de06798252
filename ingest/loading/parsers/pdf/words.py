"""The words of a page with their boxes, and where each of their characters stands in the file."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Style:
    """What the characters of one text object share. `angle` is that of the text against the page, in degrees."""

    angle: int
    font: int
    invisible: bool
    white: bool


@dataclass(slots=True)
class Word:
    """`top` and `bottom` grow downwards, as text is read. `sources` holds PDFium's index of each code point."""

    text: str
    sources: Sequence[int]
    x0: float
    top: float
    x1: float
    bottom: float
    style: Style
    spaced: bool = False
    """Whether the file has a space after it, at the end of a line."""
    wrong: bool = False
    """Whether PDFium found no Unicode for one of its characters."""

    @property
    def height(self) -> float:
        return self.bottom - self.top


def composed(text: str, sources: Sequence[int]) -> tuple[str, Sequence[int]]:
    """Return the text in NFC, each character with the source of its first part."""
    if unicodedata.is_normalized("NFC", text):
        return text, sources
    parts: list[str] = []
    kept: list[int] = []
    for character, source in zip(text, sources, strict=True):
        joined = unicodedata.normalize("NFC", parts[-1] + character) if parts else ""
        if len(joined) == 1:
            parts[-1] = joined
        else:
            parts.append(character)
            kept.append(source)
    return "".join(parts), kept

"""The words of a page with their boxes, and where each of their characters stands in the file."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from app.storage.origins import MADE


@dataclass(frozen=True, slots=True)
class Style:
    """What the characters of one text object share. `angle` is that of the text against the page, in degrees, to the
    nearest direction; `slant` is how it stands if it is far from all of them, as a watermark is."""

    angle: int
    font: int
    invisible: bool
    white: bool
    slant: int = 0


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
    last: bool = False
    """Whether PDFium ends a line after it."""
    spaced: bool = False
    """Whether the file has a space there."""
    wrong: bool = False
    """Whether PDFium found no Unicode for one of its characters."""
    height: float = field(init=False)

    def __post_init__(self) -> None:
        self.height = self.bottom - self.top


LIGATURE = re.compile("[\ufb00-\ufb06]")


def is_composed(text: str) -> bool:
    """Whether `composed` leaves the text as it is, and so each part of it."""
    return text.isascii() or (unicodedata.is_normalized("NFC", text) and not LIGATURE.search(text))


def composed(text: str, sources: Sequence[int]) -> tuple[str, Sequence[int]]:
    """Return the text in NFC, each character with the source of its first part, and ligatures as their letters."""
    if LIGATURE.search(text):
        letters = [unicodedata.normalize("NFKC", each) if LIGATURE.match(each) else each for each in text]
        sources = [source for part, source in zip(letters, sources, strict=True) for _ in part]
        text = "".join(letters)
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


# Of the height of a line.
RAISED = 0.15
OVERLAP = 0.6
SMALLER = 0.95
EXPONENT = re.compile(r"[-+−]?(?:\d+|n)")
BASE = re.compile(r"(?:.*[\d)\]]|[^\W\d_]{1,2}|.*[^\w\s][^\W\d_]{1,2})")


def is_exponent(before: Word, after: Word) -> bool:
    raised = after.height < SMALLER * before.height and after.bottom < before.bottom - RAISED * before.height
    return raised and EXPONENT.fullmatch(after.text) is not None and BASE.fullmatch(before.text) is not None


def attached(before: Word, after: Word) -> bool:
    """Whether the second is a raised or lowered end of the first."""
    return (
        before.style.angle == after.style.angle
        and after.height < SMALLER * before.height
        and after.top < before.bottom
        and after.bottom > before.top
        and abs(after.bottom - before.bottom) > RAISED * before.height
        and -OVERLAP * before.height < after.x0 - before.x1 < 2 * RAISED * before.height
    )


def with_script(before: Word, after: Word) -> Word:
    power = is_exponent(before, after)
    return replace(
        before,
        text=before.text + "^" * power + after.text,
        sources=[*before.sources, *[MADE] * power, *after.sources],
        x1=after.x1,
        wrong=before.wrong or after.wrong,
    )


def without_hyphen(word: Word) -> Word:
    return replace(word, text=word.text[:-1], sources=word.sources[:-1])

"""Tells whether a page's text can be read as it stands, or needs OCR."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence, Set
from enum import StrEnum
from typing import Any

from ingest.loading.parsers.pdf.words import Word

# Of the characters of a font: a font without ToUnicode has nearly all of them wrong, a readable one at most symbols.
MAX_WRONG = 0.3
MIN_CHARACTERS = 4
# A page number or a stamp over a scan is no text layer.
SPARSE_CHARACTERS = 60
COVERING = 0.7
MIN_PICTURE = 0.02
# Letters drawn as outlines make hundreds of paths; a frame and a line or two do not need OCR.
MIN_PATHS = 50
MAX_DEPTH = 5
MAX_OBJECTS = 20_000


class PageState(StrEnum):
    TEXT = "text"
    BLANK = "blank"
    MISSING = "missing"
    """Something is drawn, but there is no text."""
    GARBAGE = "garbage"
    """The fonts do not say which characters they draw."""
    IMAGE = "image"
    """A picture covers the page, with hardly any text."""

    DAMAGED = "damaged"
    """PDFium can neither read nor draw it."""

    @property
    def needs_ocr(self) -> bool:
        return self in (PageState.MISSING, PageState.GARBAGE, PageState.IMAGE)


def page_state(page: Any, words: Sequence[Word], unreadable: Set[int]) -> PageState:
    """Tell it, with the fonts that are unreadable."""
    total = sum(len(word.text) for word in words)
    wrong = sum(len(word.text) for word in words if word.style.font in unreadable)
    if wrong > MAX_WRONG * total:
        return PageState.GARBAGE
    # Invisible text is what OCR has read already.
    if total - wrong >= SPARSE_CHARACTERS or any(word.style.invisible for word in words):
        return PageState.TEXT
    picture, paths = drawn(page)
    if not words:
        return PageState.MISSING if picture >= MIN_PICTURE or paths >= MIN_PATHS else PageState.BLANK
    return PageState.IMAGE if picture >= COVERING else PageState.TEXT


def unreadable_fonts(words: Sequence[Word]) -> set[int]:
    """Return the fonts whose characters PDFium cannot map to Unicode, or maps to what no text holds."""
    wrong: Counter[int] = Counter()
    total: Counter[int] = Counter()
    for word in words:
        total[word.style.font] += len(word.text)
        if word.wrong or not word.text.isprintable():
            wrong[word.style.font] += len(word.text)
    return {font for font, count in wrong.items() if count >= MIN_CHARACTERS and count > MAX_WRONG * total[font]}


def drawn(page: Any) -> tuple[float, int]:
    """Return (the largest picture's share of the page, how many paths there are)."""
    import pypdfium2.raw as pdfium

    width, height = page.get_size()
    largest, paths = 0.0, 0
    for kind, x0, y0, x1, y1 in _boxes(page):
        if kind == pdfium.FPDF_PAGEOBJ_IMAGE:
            largest = max(largest, (x1 - x0) * (y1 - y0) / (width * height))
        elif kind in (pdfium.FPDF_PAGEOBJ_PATH, pdfium.FPDF_PAGEOBJ_SHADING):
            paths += 1
    return largest, paths


def _boxes(page: Any) -> Iterator[tuple[int, float, float, float, float]]:
    for count, each in enumerate(page.get_objects(max_depth=MAX_DEPTH)):
        if count == MAX_OBJECTS:
            return
        yield each.type, *each.get_bounds()

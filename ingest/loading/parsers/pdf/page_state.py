"""Tells whether a page's text can be read as it stands, or needs OCR."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence, Set
from enum import StrEnum
from itertools import islice
from typing import Any

from ingest.loading.parsers.pdf.words import Word

# Of the characters of a font: a font without ToUnicode has nearly all of them wrong, a readable one at most symbols.
MAX_WRONG = 0.3
MIN_CHARACTERS = 4
# A page number or a stamp over a scan is no text layer.
SPARSE_CHARACTERS = 60
COVERING = 0.7
MIN_PICTURE = 0.02
# Letters drawn as outlines make hundreds of paths, or a few long ones; a frame and a line or two do not need OCR.
MIN_PATHS, SEGMENTS_A_LETTER = 50, 10
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
    """Return (the pictures' share of the page, which a scan in strips fills too, and how many letters the paths may
    be)."""
    import pypdfium2.raw as pdfium

    width, height = page.get_size()
    covered, paths = 0.0, 0
    for each in islice(page.get_objects(max_depth=MAX_DEPTH), MAX_OBJECTS):
        if each.type == pdfium.FPDF_PAGEOBJ_IMAGE:
            x0, y0, x1, y1 = each.get_bounds()
            covered += (x1 - x0) * (y1 - y0) / (width * height)
        elif each.type == pdfium.FPDF_PAGEOBJ_PATH:
            paths += max(1, pdfium.FPDFPath_CountSegments(each.raw) // SEGMENTS_A_LETTER)
        elif each.type == pdfium.FPDF_PAGEOBJ_SHADING:
            paths += 1
    return covered, paths

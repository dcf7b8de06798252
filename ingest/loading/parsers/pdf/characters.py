"""Reads the characters of a page with PDFium and collects them into words.

PDFium parts words well; only the boxes of a word's first and last character are asked for where one text object holds
the whole of it, because each question costs as much as the rest of the work on a character.
"""

from __future__ import annotations

import ctypes
import math
import re
from collections.abc import Sequence
from functools import partial
from typing import Any

from ingest.loading.parsers.pdf.rulings import Box, colour_named
from ingest.loading.parsers.pdf.slanted import lines_of_slanted
from ingest.loading.parsers.pdf.words import Style, Word, attached, composed, is_composed, with_script

# A word, and what follows where a line ends.
WORD = re.compile(r"(\S+)([ \t]*(?:[\r\n]|$))?")
# What symbol fonts mean by their private code points, and PDFium's marks of a hyphen at the end of a line.
SYMBOLS = str.maketrans("\uf0b7\uf0a7\uf0a8\uf06c\uf06e\uf0d8\uf0fc\uf0e0\x02\ufffe", "•▪◆●■➢✓→--")
# Of the height: a word is split at wider gaps, at other sizes and in other lines.
MAX_GAP, OVERLAP, SAME_SIZE, SAME_LINE = 0.3, 0.6, 0.85, 0.5
WIDEST = 1.5
# Degrees from the nearest direction that a scan is not tilted by.
SLANTED = 15


def _with_numbers(function: Any, result: Any, *arguments: Any) -> Any:
    """Return the same function of PDFium with numbers for pointers, which are faster to pass and to compare."""
    return ctypes.CFUNCTYPE(result, *arguments)(ctypes.cast(function, ctypes.c_void_p).value or 0)


class Reader:
    """Reads the words of one page."""

    def __init__(self, text_page: Any) -> None:
        import pypdfium2.raw as pdfium

        pointer, integer = ctypes.c_void_p, ctypes.c_int
        self._pdfium = pdfium
        self._object_at = _with_numbers(pdfium.FPDFText_GetTextObject, pointer, pointer, integer)
        self._is_wrong = _with_numbers(pdfium.FPDFText_HasUnicodeMapError, integer, pointer, integer)
        self._box_of = _with_numbers(pdfium.FPDFText_GetLooseCharBox, integer, pointer, integer, pointer)
        self._mode_of = _with_numbers(pdfium.FPDFTextObj_GetTextRenderMode, integer, pointer)
        self._font_of = _with_numbers(pdfium.FPDFTextObj_GetFont, pointer, pointer)
        self._colour_of = _with_numbers(pdfium.FPDFPageObj_GetFillColor, integer, *[pointer] * 5)
        self._handle = text_page.raw
        self._pointer = ctypes.cast(self._handle, pointer).value
        self._count = text_page.count_chars()
        self._rect = pdfium.FS_RECTF()
        self._place = ctypes.addressof(self._rect)
        self._colour = (ctypes.c_uint * 4)()
        self._colours = [ctypes.addressof(self._colour) + number * ctypes.sizeof(ctypes.c_uint) for number in range(4)]
        self._styles: dict[int, Style] = {}
        self._composed = False

    def words(self) -> list[Word]:
        text = self._text().translate(SYMBOLS)
        self._composed = is_composed(text)
        words: list[Word] = []
        for found in WORD.finditer(text):
            start, end = found.span(1)
            first = self._object_at(self._pointer, start)
            whole = first == self._object_at(self._pointer, end - 1)
            word = self._word(text, start, end, self._style_of(first, start)) if whole else None
            if word is not None and word.x1 - word.x0 <= WIDEST * (end - start + 1) * word.height:
                words.append(word)
            else:
                words.extend(self._split(text, start, end))
            if found[2] is not None:
                words[-1].last = True
                words[-1].spaced = text[end : end + 1] == " "
        if any(style.slant for style in self._styles.values()):
            return list(lines_of_slanted(words, text, partial(self._box, angle=0)))
        return words

    def _text(self) -> str:
        units = (ctypes.c_ushort * (self._count + 1))()
        written = self._pdfium.FPDFText_GetText(self._handle, 0, self._count, units)
        text = bytes(units)[: 2 * self._count].decode("utf-16-le", "replace")
        if written == self._count + 1 and len(text) == self._count:
            return text
        codes = (self._pdfium.FPDFText_GetUnicode(self._handle, index) for index in range(self._count))
        return "".join("\ufffd" if not code or 0xD800 <= code < 0xE000 else chr(code) for code in codes)

    def _word(self, text: str, start: int, end: int, style: Style) -> Word:
        x0, top, x1, bottom = self._box(start, style.angle)
        wrong = self._is_wrong(self._pointer, start) == 1
        if end - start > 1:
            left, above, right, below = self._box(end - 1, style.angle)
            x0, top = left if left < x0 else x0, above if above < top else top
            x1, bottom = right if right > x1 else x1, below if below > bottom else bottom
            wrong = wrong or self._is_wrong(self._pointer, end - 1) == 1
        content = text[start:end]
        sources: Sequence[int] = range(start, end)
        if not self._composed:
            content, sources = composed(content, sources)
        return Word(content, sources, x0, top, x1, bottom, style, wrong=wrong)

    def _split(self, text: str, start: int, end: int) -> list[Word]:
        """Part what PDFium left together, such as lines of turned text and cells that touch."""
        words: list[Word] = []
        begin, style = start, self._style(start)
        before = self._box(start, style.angle)
        for index in range(start + 1, end + 1):
            own = self._style(index) if index < end else style
            box = self._box(index, style.angle) if index < end else before
            if index == end or style.angle != own.angle or style.slant != own.slant or _parts(own, before, box):
                word = self._word(text, begin, index, style)
                if words and attached(words[-1], word):
                    words[-1] = with_script(words[-1], word)
                else:
                    words.append(word)
                box = self._box(index, own.angle) if style.angle != own.angle else box
                begin, style = index, own
            before = box
        return words

    def _box(self, index: int, angle: int) -> Box:
        self._box_of(self._pointer, index, self._place)
        rect = self._rect
        if not angle:
            return rect.left, -rect.top, rect.right, -rect.bottom
        return turned(angle, (rect.left, rect.bottom, rect.right, rect.top))

    def _style(self, index: int) -> Style:
        return self._style_of(self._object_at(self._pointer, index), index)

    def _style_of(self, found: int | None, index: int) -> Style:
        """Return the style of a text object, which this character belongs to."""
        if (style := self._styles.get(found or 0)) is None:
            style = self._styles[found or 0] = self._read_style(found, index)
        return style

    def _read_style(self, found: int | None, index: int) -> Style:
        pdfium = self._pdfium
        degrees = round(-math.degrees(pdfium.FPDFText_GetCharAngle(self._handle, index)))
        angle, slant = _straight(degrees), _slant(degrees)
        if not found:
            return Style(angle, 0, invisible=False, white=False, slant=slant)
        is_known = self._colour_of(found, *self._colours)
        colour = colour_named(*self._colour) if is_known else "other"
        mode = self._mode_of(found)
        invisible = mode in (pdfium.FPDF_TEXTRENDERMODE_INVISIBLE, pdfium.FPDF_TEXTRENDERMODE_CLIP)
        white = mode == pdfium.FPDF_TEXTRENDERMODE_FILL and colour == "white"
        return Style(angle, self._font_of(found) or 0, invisible or colour == "none", white, slant)


def turned(angle: int, box: Box) -> Box:
    """Return (x0, top, x1, bottom) of a box of the page, as it lies where text of this angle reads from the left.

    Turned twice it lies as before.
    """
    x0, y0, x1, y1 = box
    match angle:
        case 90:
            return y0, x0, y1, x1
        case 180:
            return -x1, y0, -x0, y1
        case 270:
            return -y1, -x1, -y0, -x0
        case _:
            return x0, -y1, x1, -y0


def _straight(degrees: int) -> int:
    """Take a scan's slight tilt as none, and other slants as the nearest direction."""
    return round(degrees / 90) * 90 % 360


def _slant(degrees: int) -> int:
    off = (degrees + 45) % 90 - 45
    return degrees % 360 if abs(off) > SLANTED else 0


def _parts(style: Style, before: Box, box: Box) -> bool:
    """Whether a gap parts two characters. Of slanted text the boxes say nothing."""
    return not style.slant and _apart(before, box)


def _apart(before: Box, box: Box) -> bool:
    height = max(before[3] - before[1], box[3] - box[1], 0.1)
    return (
        not -OVERLAP * height < box[0] - before[2] < MAX_GAP * height
        or min(before[3] - before[1], box[3] - box[1]) < SAME_SIZE * height
        or abs(box[1] + box[3] - before[1] - before[3]) > SAME_LINE * height
    )

"""Reads the characters of a page with PDFium and collects them into words.

PDFium parts words well; only the boxes of a word's first and last character are asked for where one text object holds
the whole of it, because each question costs as much as the rest of the work on a character.
"""

from __future__ import annotations

import ctypes
import math
import re
from typing import Any

from ingest.loading.parsers.pdf.rulings import Box, colour_of
from ingest.loading.parsers.pdf.words import Style, Word, attached, composed, with_script

WORD = re.compile(r"\S+")
LINE_END = re.compile(r"[ \t]*(?:[\r\n]|$)")
# What symbol fonts mean by their private code points, and PDFium's marks of a hyphen at the end of a line.
SYMBOLS = str.maketrans("\uf0b7\uf0a7\uf0a8\uf06c\uf06e\uf0d8\uf0fc\uf0e0\x02\ufffe", "•▪◆●■➢✓→--")
# Of the height: a word is split at wider gaps, at other sizes and in other lines.
MAX_GAP, OVERLAP, SAME_SIZE, SAME_LINE = 0.3, 0.6, 0.85, 0.5
WIDEST = 1.5


class Reader:
    """Reads the words of one page."""

    def __init__(self, text_page: Any) -> None:
        import pypdfium2.raw as pdfium

        self._pdfium = pdfium
        # The same function with numbers for pointers, which compare at once.
        at = ctypes.cast(pdfium.FPDFText_GetTextObject, ctypes.c_void_p).value or 0
        self._object_at = ctypes.CFUNCTYPE(ctypes.c_void_p, ctypes.c_void_p, ctypes.c_int)(at)
        self._handle = text_page.raw
        self._pointer = ctypes.cast(self._handle, ctypes.c_void_p).value
        self._count = text_page.count_chars()
        self._rect = pdfium.FS_RECTF()
        self._place = ctypes.byref(self._rect)
        self._styles: dict[int, Style] = {}

    def words(self) -> list[Word]:
        text = self._text()
        words: list[Word] = []
        for found in WORD.finditer(text):
            start, end = found.span()
            first = self._object_at(self._pointer, start)
            whole = first == self._object_at(self._pointer, end - 1)
            word = self._word(text, start, end) if whole else None
            if word is not None and word.x1 - word.x0 <= WIDEST * (end - start + 1) * word.height:
                words.append(word)
            else:
                words.extend(self._split(text, start, end))
            if LINE_END.match(text, end):
                words[-1].last = True
                words[-1].spaced = text[end : end + 1] == " "
        return words

    def _text(self) -> str:
        units = (ctypes.c_ushort * (self._count + 1))()
        written = self._pdfium.FPDFText_GetText(self._handle, 0, self._count, units)
        text = bytes(units)[: 2 * self._count].decode("utf-16-le", "replace")
        if written == self._count + 1 and len(text) == self._count:
            return text
        codes = (self._pdfium.FPDFText_GetUnicode(self._handle, index) for index in range(self._count))
        return "".join("\ufffd" if not code or 0xD800 <= code < 0xE000 else chr(code) for code in codes)

    def _word(self, text: str, start: int, end: int) -> Word:
        style = self._style(start)
        x0, top, x1, bottom = self._box(start, style.angle)
        wrong = self._wrong(start)
        if end - start > 1:
            last = self._box(end - 1, style.angle)
            x0, top, x1, bottom = min(x0, last[0]), min(top, last[1]), max(x1, last[2]), max(bottom, last[3])
            wrong = wrong or self._wrong(end - 1)
        content, sources = composed(text[start:end].translate(SYMBOLS), range(start, end))
        return Word(content, sources, x0, top, x1, bottom, style, wrong=wrong)

    def _split(self, text: str, start: int, end: int) -> list[Word]:
        """Part what PDFium left together, such as lines of turned text and cells that touch."""
        words: list[Word] = []
        begin, before = start, self._box(start, self._style(start).angle)
        for index in range(start + 1, end + 1):
            box = self._box(index, self._style(begin).angle) if index < end else before
            if index == end or self._style(begin).angle != self._style(index).angle or _apart(before, box):
                word = self._word(text, begin, index)
                if words and attached(words[-1], word):
                    words[-1] = with_script(words[-1], word)
                else:
                    words.append(word)
                begin = index
                box = self._box(index, self._style(index).angle) if index < end else box
            before = box
        return words

    def _wrong(self, index: int) -> bool:
        return bool(self._pdfium.FPDFText_HasUnicodeMapError(self._handle, index) == 1)

    def _box(self, index: int, angle: int) -> Box:
        self._pdfium.FPDFText_GetLooseCharBox(self._handle, index, self._place)
        rect = self._rect
        return turned(angle, (rect.left, rect.bottom, rect.right, rect.top))

    def _style(self, index: int) -> Style:
        found = self._object_at(self._pointer, index) or 0
        if (style := self._styles.get(found)) is None:
            style = self._styles[found] = self._read_style(found, index)
        return style

    def _read_style(self, found: int, index: int) -> Style:
        pdfium = self._pdfium
        degrees = round(-math.degrees(pdfium.FPDFText_GetCharAngle(self._handle, index)))
        if not found:
            return Style(_straight(degrees), 0, invisible=False, white=False)
        handle = ctypes.cast(found, pdfium.FPDF_PAGEOBJECT)
        colour = colour_of(handle)
        mode = pdfium.FPDFTextObj_GetTextRenderMode(handle)
        font = ctypes.cast(pdfium.FPDFTextObj_GetFont(handle), ctypes.c_void_p).value or 0
        invisible = (pdfium.FPDF_TEXTRENDERMODE_INVISIBLE, pdfium.FPDF_TEXTRENDERMODE_CLIP)
        white = mode == pdfium.FPDF_TEXTRENDERMODE_FILL and colour == "white"
        return Style(_straight(degrees), font, mode in invisible or colour == "none", white)


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


def _apart(before: Box, box: Box) -> bool:
    height = max(before[3] - before[1], box[3] - box[1], 0.1)
    return (
        not -OVERLAP * height < box[0] - before[2] < MAX_GAP * height
        or min(before[3] - before[1], box[3] - box[1]) < SAME_SIZE * height
        or abs(box[1] + box[3] - before[1] - before[3]) > SAME_LINE * height
    )

"""A page of a PDF, drawn by PDFium. Runs only in the child.

PDFium numbers a page's characters as it did for the reader of PDFs (app/storage/origins.py).
"""

from __future__ import annotations

import ctypes
import math
import unicodedata
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from app.pages import first_reading
from app.pages.first_reading import Chunk
from app.pages.rectangles import Rectangle, joined, joined_upright
from app.pages.unshown import NoSuchPage

PDF = "application/pdf"
POINTS = 72
# A page of A4 at 300 dpi has 8.7 million; a larger one is drawn coarser.
MAX_PIXELS = 9_000_000
# PDFium places points on a page at whole pixels: of so many in a point.
FINE = 100

Characters = tuple[int, str]
"""(number of the first, the text that they are): a run of characters that follow one another."""


class PdfPage:
    def __init__(self, path: Path, number: int) -> None:
        import pypdfium2

        # By a path it would look for the name of the file, which a sandboxed process may not reach.
        document = pypdfium2.PdfDocument(path.read_bytes())
        if number > len(document):
            raise NoSuchPage
        document.init_forms()
        self._page = document[number - 1]
        self.width, self.height = self._page.get_size()

    def draw(self, dpi: int) -> Any:
        scale = min(dpi / POINTS, math.sqrt(MAX_PIXELS / max(1.0, self.width * self.height)))
        return self._page.render(scale=scale).to_pil()

    def rectangles(self, characters: Sequence[Characters]) -> list[Rectangle] | None:
        """Return those of the characters, line by line; None if the page has others there."""
        return self._rectangles(self._page.get_textpage(), characters)

    def rectangles_of_first_reading(self, chunks: Sequence[Chunk], start: int, end: int) -> list[Rectangle] | None:
        """Return those of text[start:end] of what version 0.1 read; None if the page does not say the same."""
        import pypdfium2.raw as pdfium

        text_page = self._page.get_textpage()
        codes = [pdfium.FPDFText_GetUnicode(text_page, number) for number in range(text_page.count_chars())]
        characters = first_reading.characters(text_page.get_text_bounded(), codes, chunks, start, end)
        return None if characters is None else self._rectangles(text_page, characters)

    def _rectangles(self, text_page: Any, characters: Sequence[Characters]) -> list[Rectangle] | None:
        count = text_page.count_chars()
        found: list[Rectangle] = []
        for first, text in characters:
            indices = range(first, first + len(text))
            if indices.stop > count or not all(map(self._is, [text_page] * len(text), indices, text)):
                return None
            join = joined_upright if self._is_upright(text_page, first) else joined
            found = join([*found, *self._boxes(text_page, indices)])
        return found

    def _is(self, text_page: Any, index: int, expected: str) -> bool:
        """Say whether the page has the character there, perhaps as a part of it or in a ligature."""
        import pypdfium2.raw as pdfium

        code = pdfium.FPDFText_GetUnicode(text_page, index)
        if not expected.isalnum() or not code or 0xD800 <= code < 0xE000:
            return True
        return _parts(expected)[0] in _parts(chr(code))

    def _is_upright(self, text_page: Any, index: int) -> bool:
        """Say whether the text runs up or down on the page as it is shown."""
        import pypdfium2.raw as pdfium

        degrees = math.degrees(pdfium.FPDFText_GetCharAngle(text_page, index)) - self._page.get_rotation()
        return bool(round(degrees / 90) % 2)

    def _boxes(self, text_page: Any, indices: range) -> Iterator[Rectangle]:
        for index in indices:
            left, bottom, right, top = text_page.get_charbox(index, loose=True)
            one, two = self._shown(left, top), self._shown(right, bottom)
            x, y = min(one[0], two[0]), min(one[1], two[1])
            box = Rectangle(x, y, abs(one[0] - two[0]), abs(one[1] - two[1]))
            if box.width > 0 and box.height > 0:
                yield box

    def _shown(self, x: float, y: float) -> tuple[float, float]:
        """Return where a point of the page stands as the page is shown, turned and cut."""
        import pypdfium2.raw as pdfium

        across, down = ctypes.c_int(), ctypes.c_int()
        size = round(self.width * FINE), round(self.height * FINE)
        pdfium.FPDF_PageToDevice(self._page, 0, 0, *size, 0, x, y, ctypes.byref(across), ctypes.byref(down))
        return across.value / FINE, down.value / FINE


def _parts(text: str) -> str:
    return unicodedata.normalize("NFKD", text)

"""Binds Tesseract's library: exec is closed to the sandboxed child, and Debian mends the library.

Only its C interface is used (tesseract/capi.h), which stays the same within version 5.
"""

from __future__ import annotations

import ctypes
from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from app.tesseract import LIBRARY, data_folder

Gray = NDArray[np.uint8]
# How Tesseract divides a picture: one block of lines, or one line.
BLOCK, LINE = 6, 7
TEXT_LINE, WORD, SYMBOL = 2, 3, 4

_POINTER, _NUMBER, _TEXT = ctypes.c_void_p, ctypes.c_int, ctypes.c_char_p
_NUMBERS = [ctypes.POINTER(ctypes.c_int)] * 4
FUNCTIONS = {
    "TessBaseAPICreate": (_POINTER, []),
    "TessBaseAPIInit3": (_NUMBER, [_POINTER, _TEXT, _TEXT]),
    "TessBaseAPISetVariable": (_NUMBER, [_POINTER, _TEXT, _TEXT]),
    "TessBaseAPISetPageSegMode": (None, [_POINTER, _NUMBER]),
    "TessBaseAPISetImage": (None, [_POINTER, _POINTER, _NUMBER, _NUMBER, _NUMBER, _NUMBER]),
    "TessBaseAPISetSourceResolution": (None, [_POINTER, _NUMBER]),
    "TessBaseAPIRecognize": (_NUMBER, [_POINTER, _POINTER]),
    "TessBaseAPIGetIterator": (_POINTER, [_POINTER]),
    "TessResultIteratorGetUTF8Text": (_POINTER, [_POINTER, _NUMBER]),
    "TessResultIteratorConfidence": (ctypes.c_float, [_POINTER, _NUMBER]),
    "TessResultIteratorNext": (_NUMBER, [_POINTER, _NUMBER]),
    "TessResultIteratorDelete": (None, [_POINTER]),
    "TessPageIteratorIsAtBeginningOf": (_NUMBER, [_POINTER, _NUMBER]),
    "TessPageIteratorBoundingBox": (_NUMBER, [_POINTER, _NUMBER, *_NUMBERS]),
    "TessDeleteText": (None, [_POINTER]),
}


@dataclass(frozen=True, slots=True)
class Symbol:
    """A character in pixels of the picture. `begins_word`: Tesseract sees a space before it."""

    text: str
    left: int
    top: int
    right: int
    bottom: int
    confidence: float
    begins_word: bool


@dataclass(slots=True)
class Line:
    symbols: list[Symbol] = field(default_factory=list)


class Tesseract:
    """The models of some languages, which take 0.2 s to load. Raises OSError where they are not installed."""

    def __init__(self, languages: str) -> None:
        self._library = library = ctypes.CDLL(LIBRARY)
        for name, (result, arguments) in FUNCTIONS.items():
            function = getattr(library, name)
            function.restype, function.argtypes = result, arguments
        self._handle = library.TessBaseAPICreate()
        folder = data_folder()
        if folder is None or library.TessBaseAPIInit3(self._handle, str(folder).encode(), languages.encode()):
            raise OSError(f"Tesseract has no data for {languages}")
        library.TessBaseAPISetVariable(self._handle, b"debug_file", b"/dev/null")

    def read(self, picture: Gray, segmentation: int, dpi: int) -> list[Line]:
        """Return the lines of a picture, dark on light, in reading order."""
        picture = np.ascontiguousarray(picture)
        height, width = picture.shape
        library, handle = self._library, self._handle
        library.TessBaseAPISetPageSegMode(handle, segmentation)
        library.TessBaseAPISetImage(handle, picture.ctypes.data, width, height, 1, width)
        library.TessBaseAPISetSourceResolution(handle, dpi)
        if library.TessBaseAPIRecognize(handle, None):
            return []
        lines: list[Line] = []
        for begins_line, symbol in self._symbols():
            if begins_line or not lines:
                lines.append(Line())
            lines[-1].symbols.append(symbol)
        return lines

    def _symbols(self) -> Iterator[tuple[bool, Symbol]]:
        library = self._library
        at = library.TessBaseAPIGetIterator(self._handle)
        if not at:
            return
        begins_line = begins_word = False
        try:
            while True:
                begins_line |= bool(library.TessPageIteratorIsAtBeginningOf(at, TEXT_LINE))
                begins_word |= bool(library.TessPageIteratorIsAtBeginningOf(at, WORD))
                if (symbol := self._symbol(at, begins_word=begins_word)) is not None:
                    yield begins_line, symbol
                    begins_line = begins_word = False
                if not library.TessResultIteratorNext(at, SYMBOL):
                    return
        finally:
            library.TessResultIteratorDelete(at)

    def _symbol(self, at: int, *, begins_word: bool) -> Symbol | None:
        library = self._library
        read = library.TessResultIteratorGetUTF8Text(at, SYMBOL)
        try:
            text = ctypes.string_at(read).decode(errors="replace").strip() if read else ""
        finally:
            library.TessDeleteText(read)
        sides = [ctypes.c_int() for _ in range(4)]
        if not text or not library.TessPageIteratorBoundingBox(at, SYMBOL, *map(ctypes.byref, sides)):
            return None
        left, top, right, bottom = (side.value for side in sides)
        confidence = library.TessResultIteratorConfidence(at, SYMBOL)
        return Symbol(text, left, top, right, bottom, confidence, begins_word)

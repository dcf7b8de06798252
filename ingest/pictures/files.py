"""Takes pictures out of documents, by the names that their readers give them. Runs only in the child."""

from __future__ import annotations

import base64
import re
import zipfile
import zlib
from collections.abc import Callable
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any

from ingest.loading.formats import DOCX, EPUB, HTML, HWP, HWPX, ODP, ODS, ODT, PDF, PPTX, XLSX
from ingest.loading.picture_marks import name_of_data

MAX_BYTES = 32 << 20
DATA = re.compile(rb"data:image/[\w.+-]{1,20};base64,([A-Za-z0-9+/=\s]+)")
# Of a page of a PDF, of which a part is drawn.
DPI, POINTS = 150, 72

Find = Callable[[str], Any]
"""From a picture's name to its bytes, or to a picture that is drawn already. Raises an error of any kind."""


def finder(path: Path, media_type: str) -> Find:
    return FINDERS[media_type](path)


def _in_package(path: Path) -> Find:
    def find(name: str) -> bytes:
        with zipfile.ZipFile(path) as archive:
            if archive.getinfo(name).file_size > MAX_BYTES:
                raise ValueError(name)
            return archive.read(name)

    return find


def _in_pdf(path: Path) -> Find:
    import pypdfium2

    @cache
    def document() -> Any:
        return pypdfium2.PdfDocument(path.read_bytes())

    def find(name: str) -> Any:
        number, *box = name.split()
        left, bottom, right, top = map(float, box)
        page = document()[int(number) - 1]
        x0, y0, x1, y1 = page.get_bbox()
        crop = (left - x0, bottom - y0, x1 - right, y1 - top)
        return page.render(scale=DPI / POINTS, crop=tuple(max(0.0, each) for each in crop)).to_pil()

    return find


def _in_html(path: Path) -> Find:
    @cache
    def found() -> dict[str, bytes]:
        return {name_of_data(each): each for each in DATA.findall(path.read_bytes())}

    return lambda name: base64.b64decode(found()[name])


def _in_hwp(path: Path) -> Find:
    import olefile

    def find(name: str) -> bytes:
        with olefile.OleFileIO(path) as ole:
            stored: bytes = ole.openstream(["BinData", name]).read(MAX_BYTES)
        # Each file says by itself whether it is compressed.
        with suppress(zlib.error):
            return zlib.decompressobj(wbits=-15).decompress(stored, MAX_BYTES) or stored
        return stored

    return find


PACKAGES = (DOCX, PPTX, XLSX, HWPX, ODT, ODP, ODS, EPUB)
FINDERS: dict[str, Callable[[Path], Find]] = {
    **dict.fromkeys(PACKAGES, _in_package), PDF: _in_pdf, HTML: _in_html, HWP: _in_hwp,
}  # fmt: skip

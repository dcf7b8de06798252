"""Reads pictures as documents: each page waits for OCR, which the worker has done (ingest/scans.py)."""

from __future__ import annotations

from pathlib import Path

from ingest.loading.formats import PICTURES
from ingest.loading.parsed import Notice, Options, Page, Parsed

WHY = "The page is a picture, and OCR is switched off for it or not installed: its words were not read."


def read(path: Path, _: Options) -> Parsed:
    from PIL import Image

    with path.open("rb") as file:
        image = Image.open(file, formats=tuple(PICTURES.values()))
        pages = range(1, int(getattr(image, "n_frames", 1)) + 1 if image.format == "TIFF" else 2)
    return Parsed(
        None,
        [Page(number, "", "unreadable", needs_ocr=True) for number in pages],
        [Notice("unreadable_page", WHY, page=number) for number in pages],
    )

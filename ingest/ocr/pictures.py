"""Draws the pages of PDFs and pictures in shades of grey, within limits. Runs only in the child."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from app.pages.picture_page import MAX_PICTURE_PIXELS, dots_an_inch
from ingest.loading.formats import PDF, PICTURES
from ingest.ocr.tesseract import Gray

DPI = 300
# A page of A4 at 300 dpi has 8.7 million; a larger one is drawn coarser.
MAX_PIXELS = 20_000_000
POINTS = 72
MAX_ENLARGED = 3.0


class UnreadablePage(Exception):
    """Its words are for people."""


@dataclass(frozen=True, slots=True)
class Picture:
    """`points`: width and height of the page."""

    gray: Gray
    dpi: int
    points: tuple[float, float]


class Drawable(Protocol):
    @property
    def pages(self) -> int: ...

    def draw(self, number: int) -> Picture:
        """Draw a page, the first of which is 1. Raises UnreadablePage."""


class PdfPages:
    def __init__(self, path: Path) -> None:
        import pypdfium2

        self._document = pypdfium2.PdfDocument(path.read_bytes())
        self.pages = len(self._document)

    def draw(self, number: int) -> Picture:
        page = self._document[number - 1]
        width, height = page.get_size()
        scale = min(DPI / POINTS, math.sqrt(MAX_PIXELS / max(1.0, width * height)))
        drawn = page.render(scale=scale, grayscale=True).to_numpy()
        return Picture(drawn.reshape(drawn.shape[:2]), round(scale * POINTS), (width, height))


class PicturePages:
    """Pages of a TIFF, or the one of another picture."""

    def __init__(self, path: Path) -> None:
        from PIL import Image

        # The file's own numbers are checked below.
        Image.MAX_IMAGE_PIXELS = None
        self._file = path.open("rb")
        self._image = Image.open(self._file, formats=tuple(PICTURES.values()))
        self.pages = int(getattr(self._image, "n_frames", 1)) if self._image.format == "TIFF" else 1

    def draw(self, number: int) -> Picture:
        image = self._image
        if self.pages > 1:
            image.seek(number - 1)
        if image.width * image.height > MAX_PICTURE_PIXELS:
            most = MAX_PICTURE_PIXELS // 1_000_000
            raise UnreadablePage(f"The picture has more than {most} million pixels. Make it smaller and send that.")
        dpi = dots_an_inch(image)
        points = (image.width / dpi * POINTS, image.height / dpi * POINTS)
        scale = min(max(1.0, min(DPI / dpi, MAX_ENLARGED)), math.sqrt(MAX_PIXELS / (image.width * image.height)))
        gray = _on_white(image)
        if scale != 1:
            gray = gray.resize((max(1, round(gray.width * scale)), max(1, round(gray.height * scale))))
        return Picture(np.asarray(gray, np.uint8), round(dpi * scale), points)


def _on_white(image: Any) -> Any:
    """Return it upright in shades of grey; what is transparent is white."""
    from PIL import Image, ImageOps

    image = ImageOps.exif_transpose(image)
    if image.mode.startswith("I;16"):
        return Image.fromarray((np.asarray(image) >> 8).astype(np.uint8))
    if image.mode in ("LA", "PA", "RGBA") or "transparency" in image.info:
        image = image.convert("RGBA")
        white = Image.new("RGBA", image.size, "white")
        white.alpha_composite(image)
        image = white
    return image.convert("L")


OPENERS: dict[str, Callable[[Path], Drawable]] = {PDF: PdfPages}


def open_pages(path: Path, media_type: str) -> Drawable:
    return OPENERS.get(media_type, PicturePages)(path)

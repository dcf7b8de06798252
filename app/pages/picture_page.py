"""A page of a TIFF, or the one of another picture. Runs only in the child."""

from __future__ import annotations

import io
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from app.pages.pdf_page import MAX_PIXELS, POINTS, Characters
from app.pages.rectangles import Rectangle
from app.pages.unshown import NoSuchPage, Unshown

# As Pillow calls them.
PICTURES = {"image/png": "PNG", "image/jpeg": "JPEG", "image/tiff": "TIFF", "image/webp": "WEBP", "image/bmp": "BMP"}
# What a picture may unpack to.
MAX_PICTURE_PIXELS = 150_000_000
# Of a picture that does not say how many dots an inch has: as wide as a sheet of A4.
WIDTH_INCHES = 8.27
LIKELY_DPI = range(100, 1201)
# Higher ones take twice the time for a tenth less.
PNG_LEVEL = 3


class PicturePage:
    def __init__(self, path: Path, number: int) -> None:
        from PIL import Image, ImageOps

        # The file's own numbers are checked below.
        Image.MAX_IMAGE_PIXELS = None
        image = Image.open(path.open("rb"), formats=tuple(PICTURES.values()))
        if number > (getattr(image, "n_frames", 1) if image.format == "TIFF" else 1):
            raise NoSuchPage
        if number > 1:
            image.seek(number - 1)
        if image.width * image.height > MAX_PICTURE_PIXELS:
            raise Unshown(f"The picture has more than {MAX_PICTURE_PIXELS // 1_000_000} million pixels.")
        scale = POINTS / dots_an_inch(image)
        self._image = ImageOps.exif_transpose(image)
        self.width, self.height = (scale * side for side in self._image.size)

    def draw(self, dpi: int) -> Any:
        scale = min(dpi / POINTS, math.sqrt(MAX_PIXELS / (self.width * self.height)))
        size = max(1, round(self.width * scale)), max(1, round(self.height * scale))
        image = self._image
        if image.mode.startswith("I;16"):
            image = image.point(lambda value: value / 256).convert("L")
        return _on_white(image).resize(size)

    def rectangles(self, characters: Sequence[Characters]) -> list[Rectangle]:
        raise Unshown("A picture has no characters of its own.")


def png(image: Any) -> bytes:
    from PIL import ImageChops

    image, file = image.convert("RGB"), io.BytesIO()
    red, green, blue = image.split()
    if not (ImageChops.difference(red, green).getbbox() or ImageChops.difference(green, blue).getbbox()):
        # Without colours it takes half the room, and half the time.
        image = green
    image.save(file, "PNG", compress_level=PNG_LEVEL)
    return file.getvalue()


def dots_an_inch(image: Any) -> float:
    said = image.info.get("dpi") or (0, 0)
    try:
        dpi = float(said[0])
    except (TypeError, ValueError, ZeroDivisionError, IndexError):
        dpi = 0.0
    return dpi if round(dpi) in LIKELY_DPI else max(1.0, image.width / WIDTH_INCHES)


def _on_white(image: Any) -> Any:
    from PIL import Image

    if image.mode not in ("LA", "PA", "RGBA") and "transparency" not in image.info:
        return image.convert("RGB")
    image = image.convert("RGBA")
    white = Image.new("RGBA", image.size, "white")
    white.alpha_composite(image)
    return white.convert("RGB")

"""Evens out the light of a drawn page, straightens it and tells ink from paper."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ingest.ocr.tesseract import Gray

Ink = NDArray[np.bool_]
# The paper is as light as this share of the pixels around, in squares of so many pixels.
PAPER_PERCENTILE, SQUARE = 90, 32
# Darker than this is ink, on white paper.
INK = 160
MAX_ANGLE, COARSE, FINE = 5.0, 0.5, 0.05
MIN_ANGLE = 0.08
# To find the angle, few dots are enough.
SKEW_DPI = 100


@dataclass(frozen=True, slots=True)
class Sheet:
    """`angle`: how far, in degrees, the page was turned counterclockwise to make its lines level."""

    gray: Gray
    ink: Ink
    angle: float
    dpi: int

    def on_page(self, x: float, y: float) -> tuple[float, float]:
        """Return where a pixel lay before the page was turned."""
        middle_x, middle_y = self.gray.shape[1] / 2, self.gray.shape[0] / 2
        sine, cosine = math.sin(math.radians(-self.angle)), math.cos(math.radians(-self.angle))
        x, y = x - middle_x, y - middle_y
        return cosine * x + sine * y + middle_x, cosine * y - sine * x + middle_y


def straightened(gray: Gray, dpi: int) -> Sheet:
    gray = even_light(gray)
    angle = skew(gray < INK, dpi)
    if abs(angle) < MIN_ANGLE:
        return Sheet(gray, gray < INK, 0.0, dpi)
    gray = np.asarray(_image(gray).rotate(angle, resample=3, fillcolor=255), np.uint8)
    return Sheet(gray, gray < INK, angle, dpi)


def even_light(gray: Gray) -> Gray:
    """Return it as if the paper were white everywhere."""
    height, width = gray.shape
    rows, columns = max(1, height // SQUARE), max(1, width // SQUARE)
    if min(height, width) < SQUARE:
        return gray
    squares = gray[: rows * SQUARE, : columns * SQUARE].reshape(rows, SQUARE, columns, SQUARE)
    paper = np.percentile(squares.swapaxes(1, 2).reshape(rows, columns, -1), PAPER_PERCENTILE, axis=2)
    # A dark square is a picture or a filled cell, whose paper is that of the page.
    usual = float(np.median(paper))
    paper = np.where(paper < usual / 2, usual, paper)
    spread = np.asarray(_image(paper.astype(np.uint8)).resize((width, height), resample=2), np.uint16)
    return np.minimum(255, gray.astype(np.uint16) * 255 // np.maximum(1, spread)).astype(np.uint8)


def skew(ink: Ink, dpi: int) -> float:
    """Return the angle, in degrees counterclockwise, that makes the lines of text level."""
    step = max(1, dpi // SKEW_DPI)
    rows, columns = np.nonzero(ink[::step, ::step])
    if len(rows) < 50:
        return 0.0
    best = max(np.arange(-MAX_ANGLE, MAX_ANGLE + COARSE, COARSE), key=lambda each: _levelness(rows, columns, each))
    near = np.arange(best - COARSE, best + COARSE, FINE)
    return float(max(near, key=lambda each: _levelness(rows, columns, each)))


def _levelness(rows: NDArray[np.int64], columns: NDArray[np.int64], angle: float) -> float:
    """Lines that are level make rows of much ink beside rows of none."""
    turned = np.rint(rows - columns * math.tan(math.radians(angle))).astype(np.int64)
    counts = np.bincount(turned - turned.min())
    return float(np.square(np.diff(counts)).sum())


def _image(gray: Gray) -> Any:
    from PIL import Image

    return Image.fromarray(gray)

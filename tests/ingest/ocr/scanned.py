"""Small scans, which were drawn for these tests: a Korean line, an English one, and a ruled table."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from app.tesseract import PACKAGES, is_installed

SAMPLES = Path(__file__).parent / "samples"
KOREAN, ENGLISH = "규장각 열람실은 아침에 문을 연다.", "The reading room opens at nine."
TABLE = "| 구분 | 수량 |\n| --- | --- |\n| 실록 | 서른 권 |"

needs_tesseract = pytest.mark.skipif(not is_installed(), reason=f"OCR needs {PACKAGES}")


def sample(name: str) -> Image.Image:
    return Image.open(SAMPLES / f"{name}.png").convert("L")


def tiff(*names: str) -> bytes:
    file = io.BytesIO()
    first, *others = map(sample, names)
    first.save(file, "TIFF", save_all=True, append_images=others, compression="tiff_lzw", dpi=(300, 300))
    return file.getvalue()


def scanned_pdf(*names: str) -> bytes:
    return as_pdf([sample(name) for name in names])


def as_pdf(pages: list[Image.Image]) -> bytes:
    file = io.BytesIO()
    first, *others = pages
    first.save(file, "PDF", save_all=True, append_images=others, resolution=300)
    return file.getvalue()


def noisy(image: Image.Image, degrees: float) -> Image.Image:
    """Return it as a scanner might: crooked, grey and with grain."""
    turned = np.asarray(image.rotate(degrees, resample=Image.Resampling.BICUBIC, fillcolor=255, expand=True), np.int16)
    grain = np.random.default_rng(7).normal(0, 8, turned.shape)
    return Image.fromarray(np.clip(turned * 0.9 + 10 + grain, 0, 255).astype(np.uint8))

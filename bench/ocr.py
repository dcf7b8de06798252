"""Reads drawn pages by OCR and compares the Hangul words with those of the text layer: python -m bench.ocr FILE.pdf …

Each page is drawn at 300 dpi, and again as a scanner might give it: 200 dpi, crooked, with grain. Precision and recall
count words of Hangul, a word as often as it is there.
"""

from __future__ import annotations

import argparse
import re
import time
from collections import Counter
from pathlib import Path

import numpy as np
import pypdfium2
from PIL import Image

from app.language.hangul import SYLLABLES
from ingest.ocr.page import PageReader
from ingest.ocr.pictures import DPI, POINTS, Picture
from ingest.ocr.tesseract import Gray

WORD = re.compile(rf"[{SYLLABLES}]+")
SCANNED_DPI = 200


def main() -> None:
    parser = argparse.ArgumentParser(description="Measure OCR by the text layers of PDFs.")
    parser.add_argument("files", nargs="+", type=Path)
    parser.add_argument("--degrees", type=float, default=1.5, help="how crooked the scan is (1.5)")
    parser.add_argument("--grain", type=float, default=12, help="standard deviation of its grey values (12)")
    options = parser.parse_args()
    reader = PageReader()
    print("file, page, drawn as, precision, recall, words, CPU seconds")
    for file in options.files:
        for number, page in enumerate(pypdfium2.PdfDocument(file), 1):
            gold = page.get_textpage().get_text_bounded()
            for name, gray in (("clean", drawn(page, DPI)), ("scanned", scanned(page, options))):
                started = time.process_time()
                read = reader.read(Picture(gray, DPI, page.get_size())).text
                precision, recall, words = compared(gold, read)
                spent = time.process_time() - started
                print(f"{file.name}, {number}, {name}, {precision:.3f}, {recall:.3f}, {words}, {spent:.1f}", flush=True)


def drawn(page: pypdfium2.PdfPage, dpi: int) -> Gray:
    gray = page.render(scale=dpi / POINTS, grayscale=True).to_numpy()
    return np.asarray(gray.reshape(gray.shape[:2]), np.uint8)


def scanned(page: pypdfium2.PdfPage, options: argparse.Namespace) -> Gray:
    grey = as_scanned(drawn(page, SCANNED_DPI), options.degrees, options.grain)
    size = (grey.shape[1] * DPI // SCANNED_DPI, grey.shape[0] * DPI // SCANNED_DPI)
    return np.asarray(Image.fromarray(grey).resize(size), np.uint8)


def as_scanned(gray: Gray, degrees: float, grain: float, seed: int = 7) -> Gray:
    """Return it crooked, on grey paper and with grain, whose standard deviation is given."""
    turned = Image.fromarray(gray).rotate(degrees, resample=Image.Resampling.BICUBIC, fillcolor=255)
    noise = np.random.default_rng(seed).normal(0, grain, gray.shape)
    return np.clip(np.asarray(turned, np.float32) * 0.92 + 10 + noise, 0, 255).astype(np.uint8)


def compared(gold: str, read: str) -> tuple[float, float, int]:
    """Return (precision, recall, words of the gold text)."""
    expected, found = Counter(WORD.findall(gold)), Counter(WORD.findall(read))
    right = (expected & found).total()
    return right / max(1, found.total()), right / max(1, expected.total()), expected.total()


if __name__ == "__main__":
    main()

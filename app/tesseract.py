"""Where Debian's packages put Tesseract, which reads scans, and whether they are installed."""

from __future__ import annotations

import ctypes
from pathlib import Path

LIBRARY = "libtesseract.so.5"
FOLDERS = (Path("/usr/share/tesseract-ocr/5/tessdata"), Path("/usr/share/tessdata"))
KOREAN, ENGLISH = "kor", "eng"
# Of one processor, for a page full of text (bench/RESULTS.md).
USUAL_PAGE_S = 4
PACKAGES = "tesseract-ocr tesseract-ocr-kor tesseract-ocr-eng"


def data_folder() -> Path | None:
    """Return the folder that has the models of both languages."""
    models = [f"{language}.traineddata" for language in (KOREAN, ENGLISH)]
    return next((each for each in FOLDERS if all((each / model).is_file() for model in models)), None)


def is_installed() -> bool:
    try:
        ctypes.CDLL(LIBRARY)
    except OSError:
        return False
    return data_folder() is not None

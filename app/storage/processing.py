"""What made a document's chunks: the version of the loader of its format, and the splitter with its settings."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from psycopg.types.json import Jsonb

from app import libreoffice
from app.settings import Settings
from app.tesseract import data_folder

# Raise the version of a format that gives another text or title than before (tests/ingest/test_versions.py).
LOADERS = {
    "text/plain": 1,
    "text/csv": 2,
    "text/markdown": 1,
    "text/html": 2,
    "application/json": 1,
    "application/jsonl": 1,
    "application/x-ipynb+json": 1,
    "application/xml": 1,
    "application/pdf": 2,
    "application/vnd.openxmlformats-officedocument.wordprocessingml.document": 2,
    "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet": 2,
    "application/vnd.openxmlformats-officedocument.presentationml.presentation": 2,
    "application/msword": 1,
    "application/vnd.ms-excel": 1,
    "application/vnd.ms-powerpoint": 1,
    "application/rtf": 1,
    "application/vnd.oasis.opendocument.text": 1,
    "application/vnd.oasis.opendocument.spreadsheet": 1,
    "application/vnd.oasis.opendocument.presentation": 1,
    "application/epub+zip": 2,
    "application/x-hwp": 2,
    "application/x-hwpml": 1,
    "application/x-hwp-v3": 1,
    "application/hwp+zip": 2,
    "image/png": 1,
    "image/jpeg": 1,
    "image/tiff": 1,
    "image/webp": 1,
    "image/bmp": 1,
    "message/rfc822": 2,
    "application/mbox": 1,
    "application/vnd.ms-outlook": 1,
    "application/zip": 1,
    "application/x-tar": 1,
}
# Raise the version of a splitter that cuts elsewhere than before.
SPLITTERS = {"sentences": 2, "langchain": 2}

# Recorded of a document with pages that only OCR could have read, where there was none.
WITHOUT_OCR = ", without OCR"
# Recorded of what holds files of before 2007, where there was no LibreOffice: they have failed.
WITHOUT_LIBREOFFICE = ", without LibreOffice"

# Of a document `d`. Before 0.2 neither loader nor splitter was recorded.
IS_OUTDATED = """
    (d.new_title is not null or not coalesce(d.splitter = any(%(splitters)s), false)
     or d.loader is distinct from (%(loaders)s::jsonb ->> d.media_type)::integer)
"""


@dataclass(frozen=True, slots=True)
class Processing:
    """How documents are processed at present."""

    splitter: str
    has_ocr: bool
    has_libreoffice: bool

    @property
    def _splitters(self) -> list[str]:
        """What documents may record that would be made in the same way now."""
        lacking = {WITHOUT_OCR: self.has_ocr, WITHOUT_LIBREOFFICE: self.has_libreoffice}
        return [self.splitter, *(self.splitter + what for what, is_there in lacking.items() if not is_there)]

    @property
    def key(self) -> dict[str, Any]:
        """What IS_OUTDATED compares with."""
        return {"splitters": self._splitters, "loaders": Jsonb(LOADERS)}

    def made(self, media_type: str, loader: int | None, splitter: str | None) -> bool:
        return splitter in self._splitters and loader == LOADERS.get(media_type)


def processing(settings: Settings, max_tokens: int) -> Processing:
    """`max_tokens` are those that the embedding model takes."""
    tokens, overlap = chunk_size(settings, max_tokens)
    size = f"{tokens}/{overlap}" if settings.splitter == "sentences" else str(tokens)
    hidden = ", hidden parts marked" if settings.hidden_parts == "mark" else ""
    pictures = ", pictures described" if settings.describe_pictures else ""
    splitter = f"{settings.splitter} {SPLITTERS[settings.splitter]}, {size}{hidden}{pictures}"
    # The API looks for Tesseract's models alone: it loads no library that it does not use.
    has_ocr = settings.ocr_url is not None or data_folder() is not None
    return Processing(splitter, has_ocr, libreoffice.is_installed())


def chunk_size(settings: Settings, max_tokens: int) -> tuple[int, int]:
    """Return (tokens, overlap): 220/32 for a model of 256 tokens, 400/60 for one of 512; never above its limit."""
    tokens = settings.chunk_tokens or (400 if max_tokens >= 512 else max_tokens * 220 // 256)
    tokens = min(tokens, max_tokens)
    overlap = settings.chunk_overlap if settings.chunk_overlap is not None else tokens * 3 // 20
    return tokens, min(overlap, tokens // 2)

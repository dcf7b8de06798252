"""Reads EPUB and HTML with xberg, from memory only: otherwise xberg would fetch addresses, cache texts on
disk and look for OCR models."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from app.errors import DocumentError
from ingest.loading.formats import EPUB
from ingest.loading.parsed import Options, Parsed, without_pages
from ingest.loading.parsers.ooxml import check_parts, open_package
from ingest.loading.parsers.titles import heading
from ingest.loading.refusals import CORRUPT, ENCRYPTED, UNPACKS_TO_TOO_MUCH

# Deeper than this xberg leaves words out (its own limit is 64), and far deeper it crashes.
HTML_DEPTH = 180
MAX_CELLS = 20_000_000
# With something like an address in the parentheses, unlike `cells[i](j)`.
LINK = re.compile(r"""!?\[((?:[^\[\]\\]|\\.)*)\]\((?=[^()\s]{0,500}[/#.:])(?:[^()\s]|\([^()\s]*\))*(?:\s+"[^"]*")?\)""")
BOLD = re.compile(r"\*\*(\S(?:[^*\n]*\S)?)\*\*")
PADDING = re.compile(r"[ \t]{3,}")
ESCAPE = re.compile(r"\\([\\<>~!#-])")


def epub(path: Path, _: Options) -> Parsed:
    text, document = _convert_package(path, EPUB)
    text = ESCAPE.sub(r"\1", without_noise(text))
    return without_pages(_title(document) or heading(text), text)


def _convert_package(path: Path, media_type: str) -> tuple[str, Any]:
    with open_package(path) as archive:
        check_parts(archive)
    return convert(path.read_bytes(), media_type)


def convert(content: bytes, media_type: str) -> tuple[str, Any]:
    """Return (Markdown, xberg's document)."""
    import xberg

    no_noise = xberg.ConversionOptions(
        extract_metadata=False, skip_images=True, compact_tables=True, max_depth=HTML_DEPTH + 20
    )
    config = xberg.ExtractionConfig(
        use_cache=False,
        disable_ocr=True,
        output_format="markdown",
        html_options=no_noise,
        escape_markdown=False,
        max_archive_depth=0,
        pages=xberg.PageConfig(extract_pages=True),
        security_limits=xberg.SecurityLimits(max_table_cells=MAX_CELLS),
    )
    source = xberg.ExtractInput(kind="bytes", bytes=content, mime_type=media_type)
    try:
        import asyncio  # here, because it takes as long to load as all the rest

        result = asyncio.run(xberg.extract(source, config))
    except Exception as error:  # its errors have no common class that tells these cases apart
        raise _refusal(str(error).lower()) from None
    if not result.results:
        raise _refusal(" ".join(str(error) for error in result.errors).lower())
    return result.results[0].content, result.results[0]


def without_noise(text: str) -> str:
    """Remove addresses, emphasis and padding, which would fill the chunks and match nothing."""
    return PADDING.sub(" ", BOLD.sub(r"\1", LINK.sub(r"\1", text)))


def _title(document: Any) -> str | None:
    return document.metadata.title if document.metadata else None


def _refusal(reason: str) -> DocumentError:
    if "password" in reason or "encrypt" in reason:
        return ENCRYPTED
    if "limit" in reason or "bomb" in reason or "too large" in reason:
        return UNPACKS_TO_TOO_MUCH
    return CORRUPT

"""The child that parses a document. Started by ingest/loading/load.py.

Its message is the head, with the length of each page in code points and of its origins in bytes; the pages' text in
UTF-8 and then their origins follow.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import astuple
from functools import partial
from importlib import import_module
from itertools import chain
from pathlib import Path
from typing import Any

from app.errors import DocumentError
from app.sandbox.channel import Channel
from ingest.loading.clean_text import clean_text
from ingest.loading.formats import OLD_OFFICE, Text, detect
from ingest.loading.notices import as_row
from ingest.loading.parsed import Options, Page
from ingest.loading.parsers import parse
from ingest.loading.refusals import refuse_empty_or_too_long

# What readers import when they need it.
USED_LATER = ("olefile", "pypdfium2.raw", "PIL.Image", "encodings.cp437", "encodings.cp949", "encodings.utf_16_le")


def warm_up() -> None:
    """Do before the fork what takes long the first time, and has nothing to do with a document."""
    for name in USED_LATER:
        import_module(name)
    clean_text("가")


def main(channel: Channel, filename: str, media_type: str, max_chars: str, options: str) -> None:
    try:
        found = detect(channel.paths["document"], filename, media_type)
        head, payload = _read(channel.paths["document"], found, int(max_chars), Options(**json.loads(options)))
    except DocumentError as error:
        channel.send({"error": {"code": error.document_code, "detail": error.detail}})
    else:
        channel.send(head, payload)


def _read(path: Path, found: str | Text, max_chars: int, options: Options) -> tuple[dict[str, Any], Iterator[bytes]]:
    parsed = parse(path, found, options)
    texts = [page.text for page in parsed.pages]
    if found not in OLD_OFFICE and not any(map(partial(_goes_on, options), parsed.pages)):
        refuse_empty_or_too_long(texts, found if isinstance(found, str) else found.media_type, max_chars)
    head = {
        "media_type": found.media_type if isinstance(found, Text) else found,
        "title": parsed.title,
        "pages": [
            (
                page.number,
                page.source,
                page.needs_ocr,
                page.head,
                page.foot,
                list(map(astuple, page.pictures)),
                len(page.text),
                len(page.origins),
            )
            for page in parsed.pages
        ],
        "warnings": [as_row(notice) for notice in parsed.warnings],
        "has_members": parsed.has_members,
    }
    return head, chain((text.encode() for text in texts), (page.origins for page in parsed.pages))


def _goes_on(options: Options, page: Page) -> bool:
    """Whether OCR or a model says more of the page than its reader."""
    described = options.describes_pictures and any(each.name and each.start == each.stop for each in page.pictures)
    return described or (options.ocr_follows and page.needs_ocr)

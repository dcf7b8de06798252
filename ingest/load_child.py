"""The child that parses: its limits, then one parser, then JSON on standard output. Started by ingest/load.py."""

from __future__ import annotations

import json
import os
import resource
import sys
from pathlib import Path
from typing import Any

from app.errors import DocumentError
from ingest.formats import Text, detect
from ingest.parsers import parse

OUT_OF_MEMORY = 77


def main(path: str, filename: str, media_type: str, memory_mb: str, seconds: str) -> int:
    _limit(int(memory_mb) << 20, int(seconds))
    try:
        answer = _answer(Path(path), filename, media_type)
    except DocumentError as error:
        answer = {"error": {"code": error.document_code, "detail": error.detail}}
    except MemoryError:
        return OUT_OF_MEMORY
    sys.stdout.write(json.dumps(answer))
    sys.stdout.flush()
    return 0


def _answer(path: Path, filename: str, media_type: str) -> dict[str, Any]:
    found = detect(path, filename, media_type)
    title, pages = parse(path, found)
    if not any(text.strip() for _, text in pages):
        raise DocumentError("empty", _why_empty(found if isinstance(found, str) else found.media_type))
    return {
        "media_type": found.media_type if isinstance(found, Text) else found,
        "title": title,
        "pages": [{"number": number, "text": text} for number, text in pages],
    }


def _why_empty(media_type: str) -> str:
    if media_type == "application/pdf":
        return "The PDF holds no text layer: it is probably a scan. Run OCR on it and send the result."
    return "The document holds no text."


def _limit(memory: int, seconds: int) -> None:
    resource.setrlimit(resource.RLIMIT_AS, (memory, memory))
    resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds + 1))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


if __name__ == "__main__":
    # Some parsers crash while the interpreter shuts down, when the answer is out already.
    os._exit(main(*sys.argv[1:]))

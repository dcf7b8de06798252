"""The child that parses: its limits, one parser, the result on standard output. Started by ingest/loading/load.py.

The result is a line of JSON, with the length of each page in code points, and then the pages' text in UTF-8.
"""

from __future__ import annotations

import json
import os
import resource
import sys
from pathlib import Path
from typing import Any

from app.errors import DocumentError
from app.sandbox.subprocesses import OUT_OF_MEMORY
from ingest.loading.formats import Text, detect
from ingest.loading.parsers import parse
from ingest.loading.refusals import check


def main(path: str, filename: str, media_type: str, memory_mb: str, seconds: str, max_chars: str) -> int:
    _limit(int(memory_mb) << 20, int(seconds))
    try:
        head, texts = _read(Path(path), filename, media_type, int(max_chars))
    except DocumentError as error:
        head, texts = {"error": {"code": error.document_code, "detail": error.detail}}, []
    except MemoryError:
        return OUT_OF_MEMORY
    output = sys.stdout.buffer
    output.write(json.dumps(head).encode() + b"\n")
    for text in texts:
        output.write(text.encode())
    output.flush()
    return 0


def _read(path: Path, filename: str, media_type: str, max_chars: int) -> tuple[dict[str, Any], list[str]]:
    found = detect(path, filename, media_type)
    title, pages, marks_cut = parse(path, found)
    texts = [text for _, text in pages]
    check(texts, found if isinstance(found, str) else found.media_type, max_chars)
    head = {
        "media_type": found.media_type if isinstance(found, Text) else found,
        "title": title,
        "pages": [(number, len(text)) for number, text in pages],
        "marks_cut": marks_cut,
    }
    return head, texts


def _limit(memory: int, seconds: int) -> None:
    resource.setrlimit(resource.RLIMIT_AS, (memory, memory))
    resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds + 1))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    # No reader has a file to write.
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))


if __name__ == "__main__":
    # Some parsers crash while the interpreter shuts down, when the answer is out already.
    os._exit(main(*sys.argv[1:]))

"""Reads a made document without a child process, which takes a hundred times as long to start."""

from __future__ import annotations

from pathlib import Path

from ingest.loading.formats import DOCX
from ingest.loading.parsed import Options, Parsed
from ingest.loading.parsers import parse


def read(folder: Path, content: bytes, options: Options | None = None) -> Parsed:
    path = folder / "a.docx"
    path.write_bytes(content)
    return parse(path, DOCX, options or Options())


def blocks(folder: Path, content: bytes) -> list[str]:
    return read(folder, content).text.split("\n\n")


def codes(parsed: Parsed) -> list[str]:
    return [notice.code for notice in parsed.warnings]

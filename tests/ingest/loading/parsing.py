"""The short way to a reader: in this process, since what is tested is the text."""

from __future__ import annotations

from pathlib import Path

from ingest.loading.formats import detect
from ingest.loading.parsed import Options, Parsed
from ingest.loading.parsers import parse


def parsed(folder: Path, content: bytes, name: str = "a.bin", *, mark: bool = False) -> Parsed:
    path = folder / name
    path.write_bytes(content)
    return parse(path, detect(path, name, ""), Options("mark" if mark else "skip"))


def codes(found: Parsed) -> list[str]:
    return [notice.code for notice in found.warnings]

"""Reads the comments on a worksheet's cells."""

from __future__ import annotations

import zipfile

from ingest.loading.parsers.marks import marked
from ingest.loading.parsers.ooxml import Attributes, read_xml
from ingest.loading.parsers.xlsx_cells import RichText, one_line


class Comments:
    """Receives a part of comments, of the old kind or in threads, each reply beside what it answers."""

    def __init__(self) -> None:
        self.found: dict[str, list[str]] = {}
        self._cell = ""
        self._rich = RichText()
        self._in_thread = False
        self._said: list[str] = []

    def start(self, name: str, attributes: Attributes) -> None:
        if name in ("comment", "threadedComment"):
            self._cell = attributes.get("ref", "")
            self._in_thread = name == "threadedComment"
        else:
            self._rich.start(name, attributes)

    def text(self, text: str) -> None:
        if self._in_thread:
            self._said.append(text)
        else:
            self._rich.text(text)

    def end(self, name: str) -> None:
        if name in ("comment", "threadedComment"):
            text = one_line("".join(self._said) if self._in_thread else self._rich.take())
            self._said.clear()
            if text:
                self.found.setdefault(self._cell, []).append(text)
        else:
            self._rich.end(name)


def read_comments(archive: zipfile.ZipFile, old: list[str], threaded: list[str]) -> dict[str, str]:
    """Return each cell's comments, marked. Of a thread the old kind holds a copy with advice to update Excel."""
    found: dict[str, list[str]] = {}
    for parts in (old, threaded):
        for part in parts:
            comments = Comments()
            read_xml(archive, part, comments)
            found |= comments.found
    return {cell: " ".join(marked("Comment", text) for text in texts) for cell, texts in found.items()}

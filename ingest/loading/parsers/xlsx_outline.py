"""Reads what stands around a worksheet's cells: hidden columns, merged cells, heads and feet.

Merged cells are listed below the cells that they concern, so this comes first, without the cells.
"""

from __future__ import annotations

import re
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass, field, replace

from ingest.loading.parsers.grid import Merge
from ingest.loading.parsers.ooxml import READ_BYTES, Attributes, feed_xml
from ingest.loading.parsers.xlsx_cells import MAX_COLUMN, merge_of
from ingest.loading.parsers.xlsx_margins import Margins

CELLS = re.compile(rb"<(?:[\w.-]+:)?sheetData(?=[\s/>])[^>]*>")
CELLS_END = re.compile(rb"</(?:[\w.-]+:)?sheetData\s*>")
LONGEST_TAG = 300


@dataclass(slots=True)
class Outline:
    """Receives a worksheet without its rows."""

    merges: list[Merge] = field(default_factory=list)
    hidden_columns: set[int] = field(default_factory=set)
    margins: Margins = field(default_factory=Margins)

    def start(self, name: str, attributes: Attributes) -> None:
        if name == "mergeCell":
            self.merges.append(merge_of(attributes.get("ref", "")))
        elif name == "col" and (attributes.get("hidden") in ("1", "true") or attributes.get("width") == "0"):
            first, last = int(attributes.get("min", 1)), int(attributes.get("max", 1))
            self.hidden_columns.update(range(first, min(last, MAX_COLUMN) + 1))
        else:
            self.margins.start(name, attributes)

    def text(self, text: str) -> None:
        self.margins.text(text)

    def end(self, name: str) -> None:
        self.margins.end(name)

    def shown_merges(self) -> dict[tuple[int, int], Merge]:
        """Return by their first cell the merged cells that begin in a visible column, or go on in one."""
        visible: dict[int, int] = {}
        for column in sorted(self.hidden_columns, reverse=True):
            visible[column] = visible.get(column + 1, column + 1)
        return {
            (each.top, each.left): replace(each, left=left)
            for each in self.merges
            if (left := visible.get(each.left, each.left)) <= each.right
        }


def read_outline(archive: zipfile.ZipFile, name: str) -> Outline:
    outline = Outline()
    with archive.open(name) as part:
        feed_xml(_without_cells(iter(lambda: part.read(READ_BYTES), b"")), outline)
    return outline


def _without_cells(contents: Iterator[bytes]) -> Iterator[bytes]:
    """Yield what stands before the cells, their opening tag, and what begins with their closing tag."""
    held = b""
    for content in contents:
        held += content
        if found := CELLS.search(held):
            yield held[: found.end()]
            held = held[found.end() :]
            break
        yield held[:-LONGEST_TAG]
        held = held[-LONGEST_TAG:]
    else:
        yield held
        return
    if not found[0].endswith(b"/>"):
        held = _after_cells(held, contents)
    yield held
    yield from contents


def _after_cells(held: bytes, contents: Iterator[bytes]) -> bytes:
    while (found := CELLS_END.search(held)) is None:
        content = next(contents, b"")
        if not content:
            return held
        held = held[-LONGEST_TAG:] + content
    return held[found.start() :]

"""Reads HWPX (KS X 6101), Hancom's documents as a zip of XML sections."""

from __future__ import annotations

import re
import zipfile
from pathlib import Path

from ingest.loading.parsed import Options, Parsed, without_pages
from ingest.loading.parsers.flow import Flow
from ingest.loading.parsers.ooxml import Attributes, numbered, open_package, read_xml
from ingest.loading.parsers.titles import own
from ingest.loading.refusals import CORRUPT, ENCRYPTED

SECTION = r"Contents/section(\d+)\.xml"
MANIFEST = "META-INF/manifest.xml"
# Elements with text: a run, a formula, and the two lines of an annotated word.
TEXT = {"t", "script", "mainText", "subText"}
INSIDE_TEXT = {"lineBreak": "\n", "tab": "\t", "nbSpace": " ", "fwSpace": " ", "hyphen": "-"}
TITLE = re.compile(rb"<opf:title\b[^>]*>([^<]{1,300})</opf:title>")
MAX_DIGITS = 6


def read(path: Path, _: Options) -> Parsed:
    with open_package(path) as archive:
        if MANIFEST in archive.namelist() and b"encryption-data" in archive.read(MANIFEST):
            raise ENCRYPTED
        sections = numbered(archive, SECTION)
        if not sections:
            raise CORRUPT
        flow = Flow()
        for section in sections:
            read_xml(archive, section, SectionReader(flow))
        text = flow.text()
        return without_pages(own(_title(archive), text), text)


def _title(archive: zipfile.ZipFile) -> str | None:
    try:
        found = TITLE.search(archive.read("Contents/content.hpf"))
    except KeyError:
        return None
    return found.group(1).decode("utf-8", "ignore") if found else None


class SectionReader:
    """Reads a section; what a paragraph holds (tables, notes, shapes) follows the paragraph's text."""

    def __init__(self, flow: Flow) -> None:
        self._flow = flow
        self._texts: list[list[str]] = []
        self._later: list[list[str]] = []
        self._in_text = 0
        self._places: list[tuple[int, int]] = []

    def start(self, name: str, attributes: Attributes) -> None:
        if name in TEXT:
            self._in_text += 1
        elif self._in_text:
            self.text(INSIDE_TEXT.get(name, ""))
        elif name == "p":
            self._texts.append([])
        elif name == "tbl":
            self._give()
            self._flow.open_table()
        elif name == "subList":
            self._give()
        elif name == "tc":
            self._flow.open_cell()
            self._places.append((0, 0))
        elif name == "cellAddr" and self._places:
            self._places[-1] = (_number(attributes, "rowAddr"), _number(attributes, "colAddr"))

    def text(self, text: str) -> None:
        if self._in_text and self._texts:
            self._texts[-1].append(text)

    def end(self, name: str) -> None:
        if name in TEXT:
            self._in_text -= 1
        elif name == "p":
            self._give()
            self._texts.pop()
        elif name == "tc":
            self._flow.close_cell(*self._places.pop())
        elif name == "tbl":
            self._flow.close_table()

    def _give(self) -> None:
        """End the text of the open paragraph so far, before something else begins inside it."""
        if self._texts:
            self._flow.paragraph("".join(self._texts[-1]))
            self._texts[-1].clear()


def _number(attributes: Attributes, name: str) -> int:
    return int(attributes.get(name, "0")[:MAX_DIGITS])

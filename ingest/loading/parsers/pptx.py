"""Reads presentations, each slide with its notes.

xberg is not used for them: it puts a space wherever an editor has cut a word into runs, and orders slides by the names
of their parts.
"""

from __future__ import annotations

import re
import zipfile
from pathlib import Path

from ingest.loading.parsed import Options, Page, Parsed
from ingest.loading.parsers.flow import Flow
from ingest.loading.parsers.ooxml import Attributes, numbered, open_package, read_xml, relations
from ingest.loading.refusals import CORRUPT

PRESENTATION = "ppt/presentation.xml"
SLIDE = r"ppt/slides/slide(\d+)\.xml"
# Beside a slide's own text: its notes, and the words in its drawings.
BESIDE = ("diagramData", "chart", "notesSlide")
TITLES = {"title", "ctrTitle"}
NUMBER = "sldNum"
CHARTS_NAMES = "strCache"
TITLE = re.compile(r"^## (.{1,300})")


def read(path: Path, _: Options) -> Parsed:
    with open_package(path) as archive:
        slides = _in_order(archive) or numbered(archive, SLIDE)
        if not slides:
            raise CORRUPT
        texts = [_slide(archive, slide) for slide in slides]
    titles = (TITLE.match(text) for text in texts)
    title = next((found.group(1) for found in titles if found), None)
    return Parsed(title, [Page(number, text) for number, text in enumerate(texts, start=1)])


def _in_order(archive: zipfile.ZipFile) -> list[str]:
    try:
        order = SlideOrder()
        read_xml(archive, PRESENTATION, order)
    except KeyError:
        return []
    targets = {key: target for key, _, target in relations(archive, PRESENTATION)}
    listed = [targets[key] for key in order.keys if key in targets]
    return [name for name in listed if name in archive.namelist()]


def _slide(archive: zipfile.ZipFile, name: str) -> str:
    flow = Flow()
    read_xml(archive, name, SlideReader(flow))
    beside = relations(archive, name)
    for kind in BESIDE:
        for target in [target for _, each, target in beside if each == kind]:
            if target in archive.namelist():
                read_xml(archive, target, SlideReader(flow))
    return flow.text()


class SlideOrder:
    def __init__(self) -> None:
        self.keys: list[str] = []

    def start(self, name: str, attributes: Attributes) -> None:
        if name == "sldId":
            self.keys += [value for key, value in attributes.items() if key.endswith(":id")]

    def text(self, text: str) -> None:
        pass

    def end(self, name: str) -> None:
        pass


class SlideReader:
    def __init__(self, flow: Flow) -> None:
        self._flow = flow
        self._kind = ""
        self._parts: list[str] | None = None
        self._in_text = False
        self._in_names = False
        self._fallbacks = 0
        self._places: list[tuple[int, int]] = []

    def start(self, name: str, attributes: Attributes) -> None:
        if name == "Fallback" or self._fallbacks:
            # The same content again, for programs that cannot show the first.
            self._fallbacks += 1
        elif name in ("sp", "graphicFrame"):
            self._kind = ""
        elif name == "ph":
            self._kind = attributes.get("type", "")
        elif name == "p":
            self._parts = []
        elif name == "br" and self._parts is not None:
            self._parts.append("\n")
        elif name == CHARTS_NAMES:
            self._in_names = True
        elif name == "t" or (name == "v" and self._in_names):
            self._in_text = True
            if name == "v":
                self._parts = []
        else:
            self._start_table(name)

    def _start_table(self, name: str) -> None:
        if name == "tbl":
            self._flow.open_table()
            self._places.append((-1, -1))
        elif self._places and name == "tr":
            self._places[-1] = (self._places[-1][0] + 1, -1)
        elif self._places and name == "tc":
            row, column = self._places[-1]
            self._places[-1] = (row, column + 1)
            self._flow.open_cell()

    def text(self, text: str) -> None:
        if self._in_text and self._parts is not None:
            self._parts.append(text)

    def end(self, name: str) -> None:
        if self._fallbacks:
            self._fallbacks -= 1
        elif name in ("t", "v"):
            self._in_text = False
            if name == "v":
                self._give()
        elif name == "p":
            self._give()
        elif name == CHARTS_NAMES:
            self._in_names = False
        elif name == "tc" and self._places:
            self._flow.close_cell(*self._places[-1])
        elif name == "tbl" and self._places:
            self._places.pop()
            self._flow.close_table()

    def _give(self) -> None:
        text = "".join(self._parts or [])
        self._parts = None
        if self._kind in TITLES and text.strip():
            self._flow.paragraph(f"## {' '.join(text.split())}")
        elif self._kind != NUMBER:
            self._flow.paragraph(text)

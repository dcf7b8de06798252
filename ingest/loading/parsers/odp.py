"""Reads OpenDocument presentations, each slide with its comments and notes."""

from __future__ import annotations

import zipfile
from collections.abc import Iterator
from pathlib import Path

from ingest.loading.parsed import Options, Page, Parsed
from ingest.loading.parsers import office_notices as notices
from ingest.loading.parsers.flow import Block, Heading, render
from ingest.loading.parsers.marks import mark_of, marked
from ingest.loading.parsers.odf_package import open_document
from ingest.loading.parsers.odf_shapes import SHAPES, ShapeReader
from ingest.loading.parsers.odf_text import Styles, paragraphs
from ingest.loading.parsers.ooxml import read_xml
from ingest.loading.parsers.xml_tree import Node, PieceReader

CONTENT = "content.xml"
NUMBER = "page-number"
RUNNING = ("footer", "header", "date-time")


def read(path: Path, options: Options) -> Parsed:
    with open_document(path) as archive:
        deck = DeckReader(archive, options)
        read_xml(archive, CONTENT, PieceReader({"style": deck.styles.take, "page": deck.slide}, {}))
    return deck.parsed


class DeckReader:
    def __init__(self, archive: zipfile.ZipFile, options: Options) -> None:
        self._archive = archive
        self._mark_hidden = options.hidden_parts == "mark"
        self._options = options
        self._slides = 0
        self._running: set[str] = set()
        self.styles = Styles()
        self.parsed = Parsed(None, [])

    def slide(self, page: Node) -> None:
        self._slides += 1
        hidden = page.get("style-name") in self.styles.hidden
        if hidden and not self._mark_hidden:
            self.parsed.warnings.append(notices.hidden("a hidden slide", page=self._slides))
            return
        reader = ShapeReader(self._archive, self.styles, self._options)
        blocks = [*self._shapes(reader, page), *self._beside(page)]
        if hidden:
            blocks.insert(0, mark_of("Hidden", page.text))
        self.parsed.warnings.extend(reader.notices(page=self._slides))
        self.parsed.pages.append(Page(self._slides, render(blocks)))

    def _shapes(self, reader: ShapeReader, page: Node) -> Iterator[Block]:
        shapes = [each for each in page if each.name in SHAPES]
        for title in (each for each in shapes if each.get("class") == "title"):
            if words := " ".join(" ".join(paragraphs(title)).split()):
                self.parsed.title = self.parsed.title or words
                yield Heading(2, words)
        yield from reader.blocks([each for each in shapes if each.get("class") not in ("title", NUMBER, *RUNNING)])
        for block in reader.blocks([each for each in shapes if each.get("class") in RUNNING]):
            if isinstance(block, str) and block not in self._running:
                self._running.add(block)
                yield block

    def _beside(self, page: Node) -> Iterator[str]:
        for note in page.children("annotation"):
            if said := paragraphs(note):
                yield marked("Comment", "\n".join(said))
        frames = (frame for frame in page.child("notes") if frame.get("class") not in (NUMBER, *RUNNING, "page"))
        if said := [text for frame in frames for text in paragraphs(frame)]:
            yield marked("Notes", "\n".join(said))

"""Reads presentations in the order in which people read a slide, each slide with its comments and notes."""

from __future__ import annotations

import zipfile
from collections.abc import Iterator
from pathlib import Path

from app.errors import DocumentError
from ingest.loading.parsed import Options, Page, Parsed
from ingest.loading.parsers import office_notices as notices
from ingest.loading.parsers.drawing_text import paragraphs
from ingest.loading.parsers.flow import Block, Heading, render
from ingest.loading.parsers.marks import mark_of, marked
from ingest.loading.parsers.ooxml import DAMAGED, numbered, open_package, relations
from ingest.loading.parsers.shapes import ShapeReader, shapes_of
from ingest.loading.parsers.slide_places import Places, placeholder
from ingest.loading.parsers.xml_tree import Node, read_tree
from ingest.loading.refusals import CORRUPT

PRESENTATION = "ppt/presentation.xml"
SLIDE = r"ppt/slides/slide(\d+)\.xml"
TITLES = ("title", "ctrTitle")
NUMBER = "sldNum"
# What a slide says on its edges, mostly the same on each.
RUNNING = ("ftr", "dt", "hdr")
NOT_NOTES = (NUMBER, *RUNNING, "sldImg")


def read(path: Path, options: Options) -> Parsed:
    with open_package(path) as archive:
        slides = _in_order(archive) or numbered(archive, SLIDE)
        if not slides:
            raise CORRUPT
        deck = Deck(archive, options)
        for number, slide in enumerate(slides, 1):
            deck.add(number, slide)
    return deck.parsed


def _in_order(archive: zipfile.ZipFile) -> list[str]:
    try:
        listed = read_tree(archive, PRESENTATION).child("sldIdLst").children("sldId")
    except KeyError:
        return []
    targets = {key: target for key, _, target in relations(archive, PRESENTATION)}
    # Beside the relation a slide has a number, named `id` too.
    keys = [value for each in listed for name, value in each.attributes.items() if name.endswith(":id")]
    return [targets[key] for key in keys if key in targets]


class Deck:
    """Collects the slides' texts."""

    def __init__(self, archive: zipfile.ZipFile, options: Options) -> None:
        self._archive = archive
        self._options = options
        self._mark_hidden = options.hidden_parts == "mark"
        self._places = Places(archive)
        self._running: set[str] = set()
        self.parsed = Parsed(None, [])
        if any(name.endswith(notices.MACROS_PART) for name in archive.namelist()):
            self.parsed.warnings.append(notices.MACROS)

    def add(self, number: int, part: str) -> None:
        slide = read_tree(self._archive, part)
        hidden = slide.get("show") in ("0", "false")
        if hidden and not self._mark_hidden:
            self.parsed.warnings.append(notices.hidden("a hidden slide", page=number))
            return
        reader = ShapeReader(self._archive, part, self._mark_hidden, self._options)
        tree = slide.child("cSld", "spTree")
        blocks = [*self._slide(reader, part, tree), *self._beside(part, number)]
        if hidden:
            blocks.insert(0, mark_of("Hidden", tree.text))
        self.parsed.warnings.extend(reader.notices(page=number))
        self.parsed.pages.append(Page(number, render(blocks)))

    def _slide(self, reader: ShapeReader, part: str, tree: Node) -> Iterator[Block]:
        titles, running, others = list[Node](), list[Node](), list[Node]()
        for shape in shapes_of(tree):
            kind = placeholder(shape).get("type")
            if kind != NUMBER:
                (titles if kind in TITLES else running if kind in RUNNING else others).append(shape)
        for title in titles:
            if words := " ".join(" ".join(paragraphs(title.child("txBody"))).split()):
                self.parsed.title = self.parsed.title or words
                yield Heading(2, words)
        yield from reader.blocks(others, lambda shape: self._places.of(part, shape))
        for block in reader.blocks(running):
            if isinstance(block, str) and block not in self._running:
                self._running.add(block)
                yield block

    def _beside(self, part: str, number: int) -> Iterator[Block]:
        for kind, read_part in (("comments", _comments), ("notesSlide", _notes)):
            for _, each, target in relations(self._archive, part):
                if each != kind:
                    continue
                try:
                    yield from read_part(read_tree(self._archive, target))
                except (DocumentError, *DAMAGED):
                    self.parsed.warnings.append(notices.unreadable("Comments or notes", page=number))


def _comments(root: Node) -> Iterator[str]:
    """Read those of both kinds: one holds plain text, the other paragraphs and replies."""
    for each in root.all("text", "txBody"):
        text = "\n".join(paragraphs(each)) if each.name == "txBody" else each.text
        if text.strip():
            yield marked("Comment", text)


def _notes(root: Node) -> Iterator[str]:
    shapes = (shape for shape in shapes_of(root.child("cSld", "spTree")))
    bodies = (shape.child("txBody") for shape in shapes if placeholder(shape).get("type") not in NOT_NOTES)
    said = [text for body in bodies for text in paragraphs(body) if text.strip()]
    if said:
        yield marked("Notes", "\n".join(said))

"""Reads the text of OpenDocument files: paragraphs, their spaces and breaks, lengths and styles."""

from __future__ import annotations

import re
from collections.abc import Container, Iterator

from ingest.loading.parsers.exponents import Run, joined
from ingest.loading.parsers.reading_order import Box
from ingest.loading.parsers.xml_tree import Node

PARAGRAPHS = ("p", "h")
# Beside the text, or said elsewhere.
ASIDE = {"annotation", "note", "ruby-text", "frame", "custom-shape", "hidden-text", "tracked-changes"}
SPACE = re.compile(r"[ \t\r\n]+")
LENGTH = re.compile(r"(-?[0-9.]+)(cm|mm|in|pt|pc|px)")
# In English metric units, as in Office files.
UNITS = {"cm": 360_000, "mm": 36_000, "in": 914_400, "pt": 12_700, "pc": 152_400, "px": 9_525}
MAX_SPACES = 100


def paragraphs(node: Node, raised: Container[str] = ()) -> list[str]:
    """Return the paragraphs below the node, but those of what is anchored in it; `raised` names the styles of
    exponents."""
    found: list[str] = []
    for each in node:
        if each.name in PARAGRAPHS:
            found.append(joined(_runs(each, raised, False)).strip())
        elif each.name not in ASIDE:
            found += paragraphs(each, raised)
    return [text for text in found if text]


def box_of(shape: Node) -> Box:
    left, top = length(shape.get("x")), length(shape.get("y"))
    return Box(left, top, left + length(shape.get("width")), top + length(shape.get("height")))


def repeated(node: Node, name: str) -> int:
    return max(1, int(node.get(name, "1")))


def alternative_text(shape: Node) -> str:
    return shape.child("desc").text.strip() or shape.child("title").text.strip()


class Styles:
    """The styles that hide sheets and slides, or raise text."""

    def __init__(self) -> None:
        self.hidden: set[str] = set()
        self.raised: set[str] = set()

    def take(self, style: Node) -> None:
        name = style.get("name")
        properties = {each.name: each for each in style}
        table, page = properties.get("table-properties"), properties.get("drawing-page-properties")
        if (table and table.get("display") == "false") or (page and page.get("visibility") == "hidden"):
            self.hidden.add(name)
        text = properties.get("text-properties")
        if text and text.get("text-position").startswith(("super", "3", "4", "5")):
            self.raised.add(name)


def _runs(node: Node, raised: Container[str], is_raised: bool) -> Iterator[Run]:
    for each in node.content:
        if isinstance(each, str):
            yield SPACE.sub(" ", each), is_raised
        elif each.name == "s":
            yield " " * min(repeated(each, "c"), MAX_SPACES), is_raised
        elif each.name == "tab":
            yield "\t", is_raised
        elif each.name == "line-break":
            yield "\n", is_raised
        elif each.name not in ASIDE:
            yield from _runs(each, raised, is_raised or each.get("style-name") in raised)


def length(text: str) -> int:
    found = LENGTH.fullmatch(text)
    return int(float(found[1]) * UNITS[found[2]]) if found else 0

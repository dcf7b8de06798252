"""Reads properties: of paragraphs, runs, rows, cells and sections."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from ingest.loading.parsers.exponents import Run as Part
from ingest.loading.parsers.exponents import joined
from ingest.loading.parsers.flow import Block
from ingest.loading.parsers.ooxml import Attributes
from ingest.loading.parsers.word.attributes import is_lifted, is_on, is_superscript, number, value
from ingest.loading.parsers.word.tables import Cell, Row


@dataclass(slots=True)
class Run:
    style: str | None = None
    font: str = ""
    raised: bool | None = None
    hidden: bool | None = None


@dataclass(slots=True)
class Paragraph:
    """`later` holds what is anchored in a paragraph and follows it; `hidden` tells whether its style hides it, `joined`
    whether its end was deleted, which joins it to the next, and `breaks` how often a page ends inside it. `hidden_text`
    is the part before `hidden_end`, without its mark. A caption has the number of what it stands beside."""

    parts: list[Part] = field(default_factory=list)
    later: list[Block] = field(default_factory=list)
    style: str | None = None
    list_id: str | None = None
    list_level: int | None = None
    outline: int | None = None
    hidden: bool | None = None
    begins_page: bool | None = None
    holds_hidden: bool = False
    ends_hidden: bool = False
    joined: bool = False
    is_caption: bool = False
    breaks: int = 0
    hidden_text: str = ""
    hidden_end: int = 0

    @property
    def text(self) -> str:
        return joined(self.parts)


@dataclass(slots=True)
class Section:
    """`references` holds (header or footer, first, even or default, key)."""

    references: list[tuple[str, str, str]] = field(default_factory=list)
    has_first: bool = False


Setter = Callable[[Any, Attributes], None]


def _set(name: str, read: Callable[[Attributes], object] = value) -> Setter:
    def set_(target: object, attributes: Attributes) -> None:
        setattr(target, name, read(attributes))

    return set_


def _always(_: Attributes) -> bool:
    return True


def _font(attributes: Attributes) -> str:
    return value(attributes, "ascii")


def _drop_cap(paragraph: Paragraph, attributes: Attributes) -> None:
    """Join a large first letter, which is a paragraph of its own, to the word that it begins."""
    paragraph.joined |= value(attributes, "dropCap") in ("drop", "margin")


def _columns(attributes: Attributes) -> int:
    return max(1, number(attributes))


def _grid_before(row: Row, attributes: Attributes) -> None:
    row.column += number(attributes)


def _merged_down(cell: Cell, attributes: Attributes) -> None:
    cell.starts_merge = value(attributes) == "restart"
    cell.covered_from_above = not cell.starts_merge


def _merged_across(cell: Cell, attributes: Attributes) -> None:
    cell.covered_from_left = value(attributes) != "restart"


def _reference(kind: str) -> Setter:
    def add(section: Section, attributes: Attributes) -> None:
        section.references.append((kind, value(attributes, "type") or "default", value(attributes, "id")))

    return add


def _form(name: str) -> Setter:
    return lambda form, attributes: form.read(name, attributes)


# By the element that holds properties; those that say nothing about the text are passed over.
SETTERS: dict[str, dict[str, Setter]] = {
    "pPr": {
        "pStyle": _set("style"),
        "numId": _set("list_id"),
        "ilvl": _set("list_level", number),
        "outlineLvl": _set("outline", number),
        "framePr": _drop_cap,
        "pageBreakBefore": _set("begins_page", is_on),
    },
    "end of paragraph": {
        "del": _set("joined", _always),
        "moveFrom": _set("joined", _always),
        "vanish": _set("ends_hidden", is_on),
    },
    "rPr": {
        "rStyle": _set("style"),
        "rFonts": _set("font", _font),
        "vanish": _set("hidden", is_on),
        "vertAlign": _set("raised", is_superscript),
        "position": _set("raised", is_lifted),
    },
    "trPr": {
        "tblHeader": _set("is_header", is_on),
        "gridBefore": _grid_before,
        "del": _set("deleted", _always),
        "hidden": _set("hidden", is_on),
    },
    "tcPr": {
        "gridSpan": _set("columns", _columns),
        "vMerge": _merged_down,
        "hMerge": _merged_across,
        "cellDel": _set("deleted", _always),
    },
    "sectPr": {
        "headerReference": _reference("header"),
        "footerReference": _reference("footer"),
        "titlePg": _set("has_first", is_on),
    },
    "ffData": {name: _form(name) for name in ("checkBox", "default", "checked", "result", "listEntry")},
    "tblPr": {"tblStyle": _set("style")},
}

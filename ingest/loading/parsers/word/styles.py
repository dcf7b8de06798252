"""Reads styles: what a paragraph or run takes over from its style, and that from the style it is based on."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import TypeVar

from ingest.loading.parsers.ooxml import Attributes
from ingest.loading.parsers.word.attributes import is_lifted, is_on, is_superscript, number, value

HEADING = re.compile(r"(?:heading|제목) ?([1-9])", re.IGNORECASE)
BODY_TEXT = 9
MAX_CHAIN = 50

Value = TypeVar("Value")


@dataclass(slots=True)
class Style:
    """`outline` is a heading's level from 0; `list_id` is that of the style `list_style`, None where
    there is no list."""

    id: str = ""
    name: str = ""
    based_on: str = ""
    outline: int | None = None
    list_id: str | None = None
    list_style: str = ""
    list_level: int | None = None
    hidden: bool | None = None
    raised: bool | None = None
    begins_page: bool | None = None


class Styles:
    """Receives `styles.xml`."""

    def __init__(self) -> None:
        self._styles: dict[str, Style] = {}
        self._resolved: dict[str, Style] = {}
        self._default = ""
        self._hides = self._in_defaults = False
        self._style: Style | None = None
        self._passed = 0

    def start(self, name: str, attributes: Attributes) -> None:
        if self._passed or name.endswith("Change") or name == "tblStylePr":
            # What a style was before a tracked change, or is in some rows and columns of a table.
            self._passed += 1
        elif name == "docDefaults":
            self._in_defaults = True
        elif name == "vanish" and self._in_defaults:
            self._hides = is_on(attributes)
        elif name == "style":
            self._style = Style(value(attributes, "styleId"))
            self._styles.setdefault(self._style.id, self._style)
            if value(attributes, "type") == "paragraph" and value(attributes, "default") in ("1", "true", "on"):
                self._default = self._style.id
        elif self._style is not None:
            self._read(self._style, name, attributes)

    def _read(self, style: Style, name: str, attributes: Attributes) -> None:
        match name:
            case "name":
                style.name = value(attributes)
            case "basedOn":
                style.based_on = value(attributes)
            case "outlineLvl":
                style.outline = number(attributes, default=BODY_TEXT)
            case "numId":
                style.list_id, style.list_style = value(attributes), style.id
            case "ilvl":
                style.list_level = number(attributes)
            case "vanish":
                style.hidden = is_on(attributes)
            case "pageBreakBefore":
                style.begins_page = is_on(attributes)
            case "vertAlign":
                style.raised = is_superscript(attributes)
            case "position":
                style.raised = is_lifted(attributes)

    def text(self, text: str) -> None:
        pass

    def end(self, name: str) -> None:
        if self._passed:
            self._passed -= 1
        elif name == "style":
            self._style = None
        elif name == "docDefaults":
            self._in_defaults = False

    def hide(self, *said: bool | None) -> bool:
        """Tell whether text is hidden whose styles say this: two that hide undo each other."""
        return self._hides if all(each is None for each in said) else sum(filter(None, said)) % 2 == 1

    def of(self, style_id: str | None) -> Style:
        """Return what a style sets with all that it is based on, or the default paragraph's for None."""
        key = self._default if style_id is None else style_id
        if key not in self._resolved:
            self._resolved[key] = self._with_parents(key)
        return self._resolved[key]

    def _with_parents(self, key: str) -> Style:
        resolved = replace(self._styles.get(key) or Style(key, name=key))
        if resolved.outline is None:
            resolved.outline = _outline_of_name(resolved.name)
        parent = self._styles.get(resolved.based_on)
        for _ in range(MAX_CHAIN):
            if parent is None:
                break
            resolved.outline = _first(resolved.outline, parent.outline, _outline_of_name(parent.name))
            resolved.list_level = _first(resolved.list_level, parent.list_level)
            if resolved.list_id is None:
                resolved.list_id, resolved.list_style = parent.list_id, parent.list_style
            resolved.hidden = _first(resolved.hidden, parent.hidden)
            resolved.raised = _first(resolved.raised, parent.raised)
            resolved.begins_page = _first(resolved.begins_page, parent.begins_page)
            parent = self._styles.get(parent.based_on)
        return resolved


def _outline_of_name(name: str) -> int | None:
    """Word knows headings and the title by their names, in whatever language it shows them."""
    if name.lower() == "title":
        return 0
    found = HEADING.fullmatch(name)
    return int(found.group(1)) - 1 if found else None


def _first(*values: Value | None) -> Value | None:
    return next((each for each in values if each is not None), None)

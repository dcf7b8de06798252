"""Cuts HTML into tags and text, in one pass: html.parser reads unfinished tags in quadratic time."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from html import unescape

# Their content is not markup, up to the end tag.
RAW = "script|style|title|textarea|xmp|iframe|noembed|noframes"
ATTRIBUTES = r"""(?:[^<>=/]++|=\s*+(?:"[^"]*+"|'[^']*+')?+|/(?!>))*+"""
# Each token ends where the next may begin, and nothing is matched in two ways, so that no text is read twice.
TOKEN = re.compile(
    rf"""
    <!--(?:>|->|.*?(?:--!?>|\Z))
    | <(?P<raw>{RAW})(?![^\s/<>])(?P<about>{ATTRIBUTES})(?:/>|(?P<opened>>)
      (?P<content>.*?)(?:</(?P=raw)(?![^\s/<>])[^<>]*>?|\Z)|(?=<)|\Z)
    | <(?P<end>/?)(?P<name>[a-z][^\s/<>]*)(?P<attributes>{ATTRIBUTES})(?P<empty>/?)>?
    | <[!?/][^<>]*>?
    | (?P<text>[^<]+|<)
    """,
    re.IGNORECASE | re.DOTALL | re.VERBOSE,
)
ATTRIBUTE = re.compile(r"""([^\s=/"'<>]+)(?:\s*=\s*(?:"([^"]*)"|'([^']*)'|([^\s"'<>]+)))?""")


@dataclass(frozen=True, slots=True)
class Start:
    """`is_empty`: the tag ends itself, as in XHTML."""

    name: str
    attributes: str = ""
    is_empty: bool = False

    def attribute(self, name: str) -> str | None:
        """Return the value, empty for an attribute without one; None if there is no such attribute."""
        if name not in self.attributes.lower():
            return None
        for found in ATTRIBUTE.finditer(self.attributes):
            if found[1].lower() == name:
                return unescape(found[2] or found[3] or found[4] or "")
        return None


@dataclass(frozen=True, slots=True)
class End:
    name: str


@dataclass(frozen=True, slots=True)
class Raw:
    """An element whose content is not markup. In some of them it holds entities."""

    name: str
    content: str


Token = Start | End | Raw | str


def tokens(content: str) -> Iterator[Token]:
    """Yield text with its entities resolved, and tags by their names in lower case; no comments."""
    for found in TOKEN.finditer(content):
        if found["text"]:
            yield unescape(found["text"])
        elif found["name"]:
            name = found["name"].lower()
            yield End(name) if found["end"] else Start(name, found["attributes"], bool(found["empty"]))
        elif found["opened"]:
            yield Raw(found["raw"].lower(), found["content"])

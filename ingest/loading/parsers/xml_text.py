"""Reads XML of any kind as its text alone: entities that it defines are not expanded, and nothing outside is read."""

from __future__ import annotations

import re
from html import unescape

from ingest.loading.parsed import Options, Parsed, without_pages
from ingest.loading.parsers.html_tokens import ATTRIBUTES

DOCTYPE = re.compile(r"<!DOCTYPE\b[^<>\[\]]*+(\[?)", re.IGNORECASE)
# Names may be of any script's letters, as those of Korean laws are.
TOKEN = re.compile(
    rf"""
    <!--.*?(?:-->|\Z)
    | <!\[CDATA\[(?P<data>.*?)(?:\]\]>|\Z)
    | <\?.*?(?:\?>|\Z)
    | <(?P<end>/?)(?P<name>[^\W\d][^\s/<>]*){ATTRIBUTES}/?>?
    | <[!/][^<>]*>?
    | (?P<text>[^<]+|<)
    """,
    re.DOTALL | re.VERBOSE,
)
TAG = "\x1f"
# Between two elements is a line end; where one stands in a line of text there is none.
BETWEEN = re.compile(rf"[\s{TAG}]*(?:\n|{TAG}\s*{TAG})[\s{TAG}]*")
SPACES = re.compile(r"[ \t\r]+")


def read(content: str, _: Options) -> Parsed:
    title: str | None = None
    parts: list[str] = []
    # Where the text of the first element begins that is named as a title.
    title_from = -1
    for token in TOKEN.finditer(_without_doctype(content)):
        if token["name"]:
            parts.append(TAG)
            if title is None and token["name"].rpartition(":")[2].lower() == "title":
                if not token["end"]:
                    title_from = len(parts)
                elif title_from >= 0:
                    title = _text(parts[title_from:]).replace("\n", " ") or None
        elif token["data"] is not None or token["text"]:
            parts.append(token["data"] or unescape(token["text"] or ""))
    return without_pages(title, _text(parts))


def _text(parts: list[str]) -> str:
    text = SPACES.sub(" ", BETWEEN.sub("\n", "".join(parts)).replace(TAG, ""))
    return "\n".join(line.strip() for line in text.split("\n")).strip()


def _without_doctype(content: str) -> str:
    """Leave out what declares the document's type: nothing in it is text."""
    if (found := DOCTYPE.search(content)) is None:
        return content
    end = content.find("]" if found[1] else ">", found.end())
    return content[: found.start()] + content[content.find(">", end) + 1 :] if end >= 0 else content

"""Reads XML of any kind as its text alone: entities that it defines are not expanded, and nothing outside is read."""

from __future__ import annotations

import re
from collections.abc import Iterator

from ingest.loading.parsed import Options, Parsed, without_pages
from ingest.loading.parsers.html_tokens import Raw, tokens

CDATA, CDATA_END = "<![CDATA[", "]]>"
DOCTYPE = re.compile(r"<!DOCTYPE\b[^<>\[\]]*+(\[?)", re.IGNORECASE)
TAG = "\x1f"
# Between two elements is a line end; where one stands in a line of text there is none.
BETWEEN = re.compile(rf"[\s{TAG}]*(?:\n|{TAG}\s*{TAG})[\s{TAG}]*")
SPACES = re.compile(r"[ \t\r]+")


def read(content: str, _: Options) -> Parsed:
    title: str | None = None
    parts: list[str] = []
    for part, is_markup in _split(_without_doctype(content)):
        if not is_markup:
            parts.append(part)
            continue
        for token in tokens(part):
            if isinstance(token, Raw):
                title = title or (token.content.strip() if token.name == "title" else None)
                parts += [TAG, token.content, TAG]
            else:
                parts.append(token if isinstance(token, str) else TAG)
    text = SPACES.sub(" ", BETWEEN.sub("\n", "".join(parts)).replace(TAG, ""))
    return without_pages(title, "\n".join(line.strip() for line in text.split("\n")).strip())


def _without_doctype(content: str) -> str:
    """Leave out what declares the document's type: nothing in it is text."""
    if (found := DOCTYPE.search(content)) is None:
        return content
    end = content.find("]" if found[1] else ">", found.end())
    return content[: found.start()] + content[content.find(">", end) + 1 :] if end >= 0 else content


def _split(content: str) -> Iterator[tuple[str, bool]]:
    """Yield the parts outside and inside of CDATA, and whether they are markup."""
    at = 0
    while (start := content.find(CDATA, at)) >= 0 and (end := content.find(CDATA_END, start)) >= 0:
        yield content[at:start], True
        yield content[start + len(CDATA) : end], False
        at = end + len(CDATA_END)
    yield content[at:], True

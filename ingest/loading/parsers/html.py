"""Reads HTML as Markdown with xberg, or as words alone if it is nested deeper than xberg can follow."""

from __future__ import annotations

import re
from html import unescape
from html.parser import HTMLParser

from ingest.loading.parsers.office import HTML_DEPTH, convert, without_noise

TITLE = re.compile(r"<title[^>]*>([^<]{1,300})</title>", re.IGNORECASE)
TAG = re.compile(r"<(/?)([a-z][a-z0-9]*)", re.IGNORECASE)
# Levels including rows, cells and items, which are not counted themselves: they may stay open without nesting.
LEVELS = {"table": 4, "ul": 2, "ol": 2, "dl": 2}
UNCOUNTED = {
    "area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "source", "track", "wbr",
    "html", "head", "body", "p", "li", "dt", "dd", "tr", "td", "th", "thead", "tbody", "tfoot", "colgroup", "caption",
    "option", "optgroup", "rt", "rp",
}  # fmt: skip
UNSEEN = {"script", "style", "template", "title", "noscript"}
INLINE = {
    "a", "abbr", "b", "bdi", "bdo", "cite", "code", "em", "font", "i", "kbd", "mark", "q", "s", "samp", "small", "span",
    "strong", "sub", "sup", "tt", "u", "var",
}  # fmt: skip


def read(content: str) -> tuple[str | None, str]:
    named = TITLE.search(content)
    title = unescape(named.group(1)) if named else None
    # Without a head around it the title would be read as text.
    content = TITLE.sub("", content, count=1)
    if depth(content) > HTML_DEPTH:
        words = Words()
        words.feed(content)
        words.close()
        return title, "".join(words.parts)
    text, _ = convert(content.encode("utf-8", "ignore"), "text/html")
    return title, without_noise(text)


def depth(content: str) -> int:
    deepest = level = 0
    for match in TAG.finditer(content):
        name = match.group(2).lower()
        if name not in UNCOUNTED:
            step = LEVELS.get(name, 1)
            level = max(0, level - step) if match.group(1) else level + step
            deepest = max(deepest, level)
    return deepest


class Words(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.parts: list[str] = []
        self._unseen: str | None = None

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if self._unseen is None and tag in UNSEEN:
            self._unseen = tag
        self._break(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag == self._unseen:
            self._unseen = None
        self._break(tag)

    def handle_data(self, data: str) -> None:
        if self._unseen is None:
            self.parts.append(data)

    def _break(self, tag: str) -> None:
        if tag not in INLINE and self.parts and self.parts[-1] != "\n":
            self.parts.append("\n")

"""Reads HTML as Markdown with xberg, or as words alone if it is nested deeper than xberg can follow."""

from __future__ import annotations

import re
from html import unescape

from ingest.loading.parsed import Options, Parsed, without_pages
from ingest.loading.parsers.office import HTML_DEPTH, convert, without_noise
from ingest.loading.parsers.titles import heading

TITLE = re.compile(r"<title[^<>]*>([^<]{1,300})</title>", re.IGNORECASE)
TAG = re.compile(r"<(/?)([a-z][a-z0-9]*)", re.IGNORECASE)
# Each part ends where the next may begin, so that no text is read twice; html.parser is quadratic on open tags.
PART = re.compile(
    r"<!--.*?(?:-->|\Z)|<(?P<end>/?)(?P<tag>[a-z][^\s/<>]*)[^<>]*>?|<[!?/][^<>]*>?|(?P<text>[^<]+|<)",
    re.IGNORECASE | re.DOTALL,
)
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


def read(content: str, _: Options) -> Parsed:
    named = TITLE.search(content)
    title = unescape(named.group(1)) if named else None
    # Without a head around it the title would be read as text.
    content = TITLE.sub("", content, count=1)
    if depth(content) > HTML_DEPTH:
        text = words(content)
    else:
        text = without_noise(convert(content.encode("utf-8", "ignore"), "text/html")[0])
    return without_pages(title or heading(text), text)


def depth(content: str) -> int:
    deepest = level = 0
    for match in TAG.finditer(content):
        name = match.group(2).lower()
        if name not in UNCOUNTED:
            step = LEVELS.get(name, 1)
            level = max(0, level - step) if match.group(1) else level + step
            deepest = max(deepest, level)
    return deepest


def words(content: str) -> str:
    """Return the text that a reader would see, a line for each block."""
    parts: list[str] = []
    unseen: str | None = None
    for part in PART.finditer(content):
        tag = (part["tag"] or "").lower()
        if tag and tag not in INLINE and parts and parts[-1] != "\n":
            parts.append("\n")
        if unseen is None and part["text"]:
            parts.append(unescape(part["text"]))
        elif part["end"]:
            unseen = None if tag == unseen else unseen
        elif unseen is None and tag in UNSEEN:
            unseen = tag
    return "".join(parts)

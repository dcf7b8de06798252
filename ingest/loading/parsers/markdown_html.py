"""Writes the tables of HTML that stand in Markdown as Markdown's, for whose rows a chunk has the header."""

from __future__ import annotations

import re
from dataclasses import replace

from ingest.loading.parsed import Options
from ingest.loading.parsers import html
from ingest.loading.parsers.titles import FENCE

TABLE = re.compile(r"<(/?)table\b[^<>]*>", re.IGNORECASE)
# A line that begins with a table, maybe within other elements, and a block of code.
BEGINS = re.compile(
    rf"^(?:[ \t]*(?:<[a-z][^<>\n]*>[ \t]*)*?(?=<table\b)|(?={FENCE.pattern}))", re.IGNORECASE | re.MULTILINE
)
ROWS = re.compile(r"^\|(?: --- \|)+\n\|", re.MULTILINE)


def with_tables(text: str, options: Options) -> str:
    """Return the text with such tables. Those that lay out a page stay as they are."""
    ends = _ends(text)
    parts, done, at = list[str](), 0, 0
    while ends and (found := BEGINS.search(text, at)):
        start, end = found.end(), ends.get(found.end())
        if fence := FENCE.match(text, start):
            at = _end_of_code(text, fence)
        elif end is None:
            at = start + 1
        else:
            shown = html.rendered(text[start:end], replace(options, picture_places=False))[1]
            at = end
            if ROWS.search(shown):
                before = text[done:start].rstrip()
                parts += [before, "\n\n" if before else "", shown, "\n"]
                done = end
    return "".join([*parts, text[done:]])


def _end_of_code(text: str, fence: re.Match[str]) -> int:
    closing = re.compile(rf"^[ \t]*{re.escape(fence[1])}[ \t]*$", re.MULTILINE).search(text, fence.end())
    return closing.end() if closing else len(text)


def _ends(text: str) -> dict[int, int]:
    """Return where each table ends, by where it begins."""
    ends: dict[int, int] = {}
    open_: list[int] = []
    for tag in TABLE.finditer(text):
        if not tag[1]:
            open_.append(tag.start())
        elif open_:
            ends[open_.pop()] = tag.end()
    return ends

"""Notes the pictures in lines of Markdown, which stay as they are written."""

from __future__ import annotations

import re

from ingest.loading.parsed import Options
from ingest.loading.parsers.html import size_of
from ingest.loading.parsers.html_tokens import Start
from ingest.loading.picture_marks import picture_text

# Code in the line, which shows no picture; a picture; a tag. Each begins with a certain character, so that `re` goes
# from one of these to the next.
PLACE = re.compile(
    r"""
    `(?P<more>`{0,8})[^`]*+`(?P=more)
    | !\[(?P<alt>[^\[\]\n]{0,500})\](?:\([^()\n]{1,2000}(?:\([^()\n]{0,500}\)[^()\n]{0,500})?\)|\[[^\[\]\n]{0,200}\])
    | <img\b(?P<attributes>(?:[^<>"']++|"[^"<>]*+"|'[^'<>]*+')*+)>
    """,
    re.IGNORECASE | re.VERBOSE,
)


def noted(line: str, options: Options) -> str:
    """Return the line with a mark before each picture, and one behind it."""

    def mark(found: re.Match[str]) -> str:
        if found["more"] is not None:
            return found[0]
        if found["attributes"] is None:
            return picture_text(options, "", None, found["alt"], found[0])
        tag = Start("img", found["attributes"])
        return picture_text(options, "", size_of(tag), tag.attribute("alt") or "", found[0])

    return PLACE.sub(mark, line)

"""Finds the lines that the bookmarks of a PDF name, which are its headings."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Any

from ingest.loading.parsers.pdf.lines import Line

Titles = dict[str, int]
"""The squeezed titles of a page's bookmarks with their levels from 1."""

DEEPEST = 6
MAX_BOOKMARKS = 50_000
MAX_OF_A_PAGE = 200
MAX_LINES = 3
NUMBERING = re.compile(
    r"(?:제?[\divxIVX.\-]+[.)]?(?:[장절조관편항부]\.?)?|[A-Za-z가-힣][.)]|chapter\d+\.?|section[\d.]+)?", re.IGNORECASE
)


def titles_by_page(document: Any) -> dict[int, Titles]:
    found: defaultdict[int, Titles] = defaultdict(dict)
    for bookmark in islice(document.get_toc(), MAX_BOOKMARKS):
        target = bookmark.get_dest()
        page = target.get_index() if target else None
        if page is not None and len(found[page]) < MAX_OF_A_PAGE and (title := squeezed(_title(bookmark))):
            found[page].setdefault(title, min(bookmark.level + 1, DEEPEST))
    return found


def _title(bookmark: Any) -> str:
    try:
        return str(bookmark.get_title())
    except UnicodeDecodeError:
        return ""


def squeezed(text: str) -> str:
    return "".join(text.split()).casefold()


def split_at_headings(lines: Sequence[Line], titles: Titles) -> Iterator[tuple[int, list[Line]]]:
    """Yield (level, lines): 0 for text between headings, the level of a heading for its own lines."""
    text: list[Line] = []
    start = 0
    while start < len(lines):
        level, end = _heading(lines, start, titles)
        if level:
            if text:
                yield 0, text
                text = []
            yield level, list(lines[start:end])
        else:
            text.append(lines[start])
        start = end
    if text:
        yield 0, text


def _heading(lines: Sequence[Line], start: int, titles: Titles) -> tuple[int, int]:
    written = ""
    for end in range(start + 1, min(start + MAX_LINES, len(lines)) + 1 if titles else start):
        written += squeezed("".join(word.text for word in lines[end - 1].words))
        for title, level in titles.items():
            if written.endswith(title) and NUMBERING.fullmatch(written[: -len(title)]):
                return level, end
    return 0, start + 1

"""Recognise headings and say under which of them a place in a text stands. Pure.

Headings are Markdown's, the parts and articles of Korean rules (`제2장 총칙`, `제7조(목적)`) and their English like
(`Chapter 2`, `Article 7`). A heading is kept as its line, of which its level can be read again.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence

Path = tuple[str, ...]
"""The lines of the headings above a place, the highest first."""

# A longer line is a paragraph.
MAX_LENGTH = 200
FENCE = r"(?:`{3}|~{3})"
MARKDOWN = rf"#{{1,6}}[ \t]+[^\s#][^\n]{{0,{MAX_LENGTH}}}"
# Neither the line of a table of contents, with its page, nor the end of a sentence that the page's width broke.
TITLE = r"[^\n]{1,60}(?<![\d.,;:다])"
KOREAN_PART = rf"제[ ]?\d{{1,3}}[편장절관](?:의[ ]?\d{{1,2}})?(?:[ \t]+{TITLE})?"
ENGLISH_PART = rf"(?:Part|Chapter|Section|PART|CHAPTER|SECTION)[ ](?:\d{{1,3}}|[IVXL]{{1,6}})(?:[.:]?[ \t]+{TITLE})?"
# Text may follow on the line, but nothing that makes it a reference: `제7조(목적) 및`, `제7조(목적) 제2항`.
KOREAN_ARTICLE = r"제[ ]?\d{1,4}조(?:의[ ]?\d{1,3})?[ ]?\([^()\n]{1,60}\)(?!\S|[ ]+(?:및|또는|내지|제[ ]?\d))"
ENGLISH_ARTICLE = rf"(?:Article|ARTICLE)[ ]\d{{1,4}}(?:[.:]?[ \t]+{TITLE}|[ ]?\([^()\n]{{1,60}}\))?"
LINE = re.compile(
    rf"^[ \t]{{0,3}}(?:(?P<fence>{FENCE})"
    rf"|(?P<alone>{MARKDOWN}|{KOREAN_PART}|{ENGLISH_PART}|{ENGLISH_ARTICLE})[ \t]*$|(?P<begins>{KOREAN_ARTICLE}))",
    re.MULTILINE,
)
MARKS = re.compile(r"#{1,6}[ \t]+|[ \t]+#+[ \t]*$")
# Below the six levels of Markdown.
LEVELS = (
    (re.compile(r"제[ ]?\d+편|Part|PART"), 7),
    (re.compile(r"제[ ]?\d+장|Chapter|CHAPTER"), 8),
    (re.compile(r"제[ ]?\d+절|Section|SECTION"), 9),
    (re.compile(r"제[ ]?\d+관"), 10),
)
LOWEST = 11


class Outline:
    """The headings of a text that begins under `above`, and anew, under none, at the places `fresh`."""

    def __init__(self, text: str, above: Path = (), fresh: Iterable[int] = ()) -> None:
        found = list(_lines(text))
        self._alone = {start: start + len(line) for start, line, alone in found if alone}
        self._text, self._above = text, above
        path = above
        self._starts: list[int] = []
        self._paths: list[Path] = []
        for start, line in sorted([*((start, line) for start, line, _ in found), *((start, "") for start in fresh)]):
            path = (*(each for each in path if _level(each) < _level(line)), line) if line else ()
            self._starts.append(start)
            self._paths.append(path)

    def at(self, place: int) -> Path:
        """Return the headings above the place, one that begins there included."""
        number = bisect_right(self._starts, place)
        return self._paths[number - 1] if number else self._above

    def under(self, start: int, stop: int) -> Path:
        """Return the headings above a part of the text, those that it begins with included."""
        while start in self._alone and (after := _next(self._text, self._alone[start])) < stop:
            start = after
        return self.at(start)

    def is_heading(self, start: int, stop: int) -> bool:
        """Tell whether a sentence is a heading and nothing else."""
        return self._alone.get(start) == stop


def heading_path(title: str | None, headings: Sequence[str]) -> list[str]:
    """Return a document's title and the headings' words: the title is often the first heading, too."""
    words = [MARKS.sub("", line).strip() for line in headings]
    return [title, *words] if title and words[:1] != [title] else words


def _next(text: str, place: int) -> int:
    while place < len(text) and text[place].isspace():
        place += 1
    return place


def _lines(text: str) -> Iterator[tuple[int, str, bool]]:
    """Yield (start, heading, whether it is the whole line). What stands between fences is code."""
    fenced = False
    for found in LINE.finditer(text):
        if found["fence"]:
            fenced = not fenced
        elif not fenced:
            heading = found["alone"] or found["begins"]
            yield found.end() - len(found[0].lstrip(" \t")), heading.rstrip(), bool(found["alone"])


def _level(line: str) -> int:
    if line.startswith("#"):
        return len(line) - len(line.lstrip("#"))
    return next((level for pattern, level in LEVELS if pattern.match(line)), LOWEST)

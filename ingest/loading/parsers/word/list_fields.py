"""Counts LISTNUM fields: numbers within a paragraph, of which the file holds no result."""

from __future__ import annotations

import re

from ingest.loading.parsers.list_numbers import formatted

# Word's own lists, by their names: how each of the nine levels is counted and written.
LISTS = {
    "numberdefault": (
        ("decimal", "{})"), ("lowerLetter", "{})"), ("lowerRoman", "{})"), ("decimal", "({})"),
        ("lowerLetter", "({})"), ("lowerRoman", "({})"), ("decimal", "{}."), ("lowerLetter", "{}."),
        ("lowerRoman", "{}."),
    ),
    "outlinedefault": (
        ("upperRoman", "{}."), ("upperLetter", "{}."), ("decimal", "{}."), ("lowerLetter", "{})"),
        ("decimal", "({})"), ("lowerLetter", "({})"), ("lowerRoman", "({})"), ("lowerLetter", "({})"),
        ("lowerRoman", "({})"),
    ),
}  # fmt: skip
LEGAL, DEFAULT = "legaldefault", "numberdefault"
NAME = re.compile(r"\s*listnum\s+(?:\"([^\"]*)\"|([^\s\\]+))", re.IGNORECASE)
LEVEL, START = (re.compile(rf"\\{letter}\s*(\d{{1,4}})", re.IGNORECASE) for letter in "ls")
LEVELS = 9


class ListFields:
    def __init__(self) -> None:
        self._counts: dict[str, list[int]] = {}

    def next(self, instruction: str) -> str:
        """Count one more, and return its number."""
        named = NAME.match(instruction)
        name = (named[1] or named[2]).lower() if named else DEFAULT
        level = int(found[1]) if (found := LEVEL.search(instruction)) else 1
        level = min(max(level, 1), LEVELS)
        counts = self._counts.setdefault(name, [0] * LEVELS)
        counts[level - 1] = int(found[1]) if (found := START.search(instruction)) else counts[level - 1] + 1
        counts[level:] = [0] * (LEVELS - level)
        if name == LEGAL:
            return "".join(f"{max(count, 1)}." for count in counts[:level])
        kind, around = LISTS.get(name, LISTS[DEFAULT])[level - 1]
        return around.format(formatted(counts[level - 1], kind))

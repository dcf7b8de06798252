"""Holds footnotes, endnotes and comments until the text refers to them."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from ingest.loading.parsers.flow import Block
from ingest.loading.parsers.list_numbers import formatted


@dataclass
class Notes:
    """`found` by kind and id; each is taken once, at its first reference, which counts it."""

    found: dict[tuple[str, str], list[Block]] = field(default_factory=dict)
    formats: dict[str, str] = field(default_factory=lambda: {"footnote": "decimal", "endnote": "lowerRoman"})
    _marks: dict[tuple[str, str], str] = field(default_factory=dict)
    _counts: Counter[str] = field(default_factory=Counter)

    def take(self, kind: str, note: str) -> list[Block]:
        return self.found.pop((kind, note), [])

    def mark(self, kind: str, note: str) -> str:
        if (kind, note) not in self._marks:
            self._counts[kind] += 1
            self._marks[kind, note] = formatted(self._counts[kind], self.formats[kind])
        return self._marks[kind, note]

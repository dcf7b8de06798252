"""What a document's head says of its paragraphs: their outline level, their numbering, their bullet."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from ingest.loading.parsers.hancom.numbers import FORMATS, written

OUTLINE, NUMBER, BULLET = "outline", "number", "bullet"
PLACE = re.compile(r"\^(10|[1-9nN])")
LEVELS = 10
# Bullets in a symbol font have no code of their own.
PRIVATE_USE = range(0xE000, 0xF900)


@dataclass(frozen=True, slots=True)
class Shape:
    """A paragraph's shape: `ref` names the numbering or the bullet, `level` counts from 0."""

    head: str
    ref: int
    level: int


@dataclass(frozen=True, slots=True)
class Level:
    """A level's number: `pattern` shows where the numbers of it and of the levels above stand (`^1.^2`)."""

    pattern: str
    number_format: str = FORMATS[0]
    start: int = 1


@dataclass
class Styles:
    shapes: dict[int, Shape] = field(default_factory=dict)
    numberings: dict[int, dict[int, Level]] = field(default_factory=dict)
    bullets: dict[int, str] = field(default_factory=dict)
    begin_pages: set[int] = field(default_factory=set)
    """The shapes of paragraphs that begin a page."""
    raised: set[int] = field(default_factory=set)
    """The shapes of characters that stand above the line."""
    pictures: list[str] = field(default_factory=list)
    """The files in HWP 5, by their number less one; "" is one that is not in the document."""
    outline: int = 0
    """The numbering of the outline in the section at hand."""

    _counts: dict[int, list[int | None]] = field(default_factory=dict)

    def label(self, shape: Shape) -> str:
        """Count one more paragraph of this shape, and return the number or bullet that stands before it."""
        if shape.head == BULLET:
            bullet = self.bullets.get(shape.ref, "")
            return "•" if bullet and ord(bullet[0]) in PRIVATE_USE else bullet
        numbering = self.outline if shape.head == OUTLINE else shape.ref
        levels = self.numberings.get(numbering)
        if levels is None or shape.level not in levels:
            return ""
        counts = self._counts.setdefault(numbering, [None] * LEVELS)
        return _label(levels, _counted(levels, counts, shape.level), shape.level)


def _counted(levels: dict[int, Level], counts: list[int | None], at: int) -> list[int]:
    count = counts[at]
    counts[at] = levels[at].start if count is None else count + 1
    counts[at + 1 :] = [None] * (LEVELS - at - 1)
    for above in range(at):
        # A document may begin with 1.1: then the level above counts as begun.
        if counts[above] is None:
            counts[above] = levels[above].start if above in levels else 1
    return [count or 0 for count in counts[: at + 1]]


def _label(levels: dict[int, Level], counts: list[int], at: int) -> str:
    def number(match: re.Match[str]) -> str:
        if match[1] in "nN":
            path = ".".join(shown(level) for level in range(at + 1))
            return f"{path}." if match[1] == "N" else path
        level = int(match[1]) - 1
        return shown(level) if level <= at else ""

    def shown(level: int) -> str:
        return written(counts[level], levels[level].number_format if level in levels else FORMATS[0])

    return PLACE.sub(number, levels[at].pattern)

"""Reads lists (`numbering.xml`) and counts their paragraphs as Word does."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from ingest.loading.parsers.list_numbers import formatted
from ingest.loading.parsers.ooxml import Attributes
from ingest.loading.parsers.word.attributes import is_on, number, value

LEVELS = 9
BULLET = "- "
# Those of symbol fonts are dots and arrows; others such as □, ○ and ※ tell levels apart, or what is done.
PLAIN_BULLET = re.compile(r"\s*[o•·◦▪●–—\-\ue000-\uf8ff]*\s*")
PLACE = re.compile(r"%([1-9])")
# What a level in decimal digits alone (`isLgl`) leaves as it is: `Section 1.01` of Word's own list of articles.
LEFT_BY_LEGAL = ("none", "decimalZero")
# A pattern is repeated at each paragraph of its level.
MAX_PATTERN = 200
# A list may refer to a style whose list refers to another style.
MAX_LINKS = 10


@dataclass(slots=True)
class Level:
    start: int = 1
    format: str = "decimal"
    pattern: str = ""
    suffix: str = "tab"
    restart: int | None = None
    legal: bool = False
    hidden: bool = False
    style: str = ""

    def label(self, numbers: list[str]) -> str:
        """Return the label of a paragraph, with the space after it, from the numbers of this level and those above."""
        if self.hidden:
            return ""
        if self.format == "bullet":
            return BULLET if PLAIN_BULLET.fullmatch(self.pattern) else f"{self.pattern.strip()} "
        label = PLACE.sub(lambda found: numbers[int(found[1]) - 1], self.pattern).strip()
        return label if not label or self.suffix == "nothing" else f"{label} "


@dataclass(slots=True)
class Abstract:
    levels: dict[int, Level] = field(default_factory=dict)
    style_link: str = ""
    style: str = ""
    counts: dict[int, int] = field(default_factory=dict)


@dataclass(slots=True)
class List:
    abstract: str = ""
    starts: dict[int, int] = field(default_factory=dict)
    started: set[int] = field(default_factory=set)
    levels: dict[int, Level] = field(default_factory=dict)


class Numbering:
    """Receives `numbering.xml`, then counts."""

    def __init__(self) -> None:
        self._abstracts: dict[str, Abstract] = {}
        self._lists: dict[str, List] = {}
        self._abstract: Abstract | None = None
        self._list: List | None = None
        self._level: Level | None = None
        self._overridden = 0

    def start(self, name: str, attributes: Attributes) -> None:
        if name == "abstractNum":
            self._abstract = self._abstracts.setdefault(value(attributes, "abstractNumId"), Abstract())
        elif name == "num":
            self._list = self._lists.setdefault(value(attributes, "numId"), List())
        elif name == "lvl":
            self._open_level(number(attributes, "ilvl"))
        elif self._level is not None:
            _read_level(self._level, name, attributes)
        elif self._abstract is not None and name == "numStyleLink":
            self._abstract.style_link = value(attributes)
        elif self._abstract is not None and name == "styleLink":
            self._abstract.style = value(attributes)
        elif self._list is not None:
            self._read_list(self._list, name, attributes)

    def _open_level(self, index: int) -> None:
        holder = self._list or self._abstract
        self._level = Level()
        if holder is not None and index < LEVELS:
            holder.levels[index] = self._level

    def _read_list(self, list_: List, name: str, attributes: Attributes) -> None:
        match name:
            case "abstractNumId":
                list_.abstract = value(attributes)
            case "lvlOverride":
                self._overridden = number(attributes, "ilvl")
            case "startOverride" if self._overridden < LEVELS:
                list_.starts[self._overridden] = number(attributes)

    def text(self, text: str) -> None:
        pass

    def end(self, name: str) -> None:
        match name:
            case "lvl":
                self._level = None
            case "abstractNum":
                self._abstract = None
            case "num":
                self._list = None

    def level_of_style(self, list_id: str, style: str) -> int | None:
        """Return the level that a list gives to a paragraph style."""
        list_ = self._lists.get(list_id)
        abstract = self._abstract_of(list_) if list_ else None
        if not list_ or not abstract or not style:
            return None
        levels = abstract.levels | list_.levels
        return next((index for index, level in levels.items() if level.style == style), None)

    def count(self, list_id: str, index: int) -> str:
        """Count a paragraph and return its label: `제3조 `, `2.1 `, `(a) `, `- `, or nothing."""
        list_ = self._lists.get(list_id)
        abstract = self._abstract_of(list_) if list_ else None
        if not list_ or not abstract or index >= LEVELS:
            return ""
        levels = abstract.levels | list_.levels
        level = levels.get(index)
        if level is None:
            return ""
        start = list_.starts.get(index, level.start)
        # A list that starts again does so once, at its first paragraph.
        again = index in list_.starts and index not in list_.started
        list_.started.add(index)
        known = abstract.counts.get(index)
        abstract.counts[index] = start if known is None or again else known + 1
        for deeper in [each for each in abstract.counts if each > index and _restarts(levels.get(each), index)]:
            del abstract.counts[deeper]
        return level.label(_numbers(levels, abstract.counts, level))

    def _abstract_of(self, list_: List) -> Abstract | None:
        abstract = self._abstracts.get(list_.abstract)
        for _ in range(MAX_LINKS):
            if abstract is None or abstract.levels or not abstract.style_link:
                break
            link = abstract.style_link
            abstract = next((each for each in self._abstracts.values() if each.style == link), None)
        return abstract


def _read_level(level: Level, name: str, attributes: Attributes) -> None:
    match name:
        case "start":
            level.start = number(attributes, default=1)
        case "numFmt" if not level.format[:1].isdigit():
            # One of its own is followed by another for programs that do not know such.
            level.format = value(attributes, "format") if value(attributes) == "custom" else value(attributes)
        case "lvlText":
            level.pattern = value(attributes)[:MAX_PATTERN]
        case "suff":
            level.suffix = value(attributes)
        case "lvlRestart":
            level.restart = number(attributes)
        case "isLgl":
            level.legal = is_on(attributes)
        case "vanish":
            level.hidden = is_on(attributes)
        case "pStyle":
            level.style = value(attributes)


def _restarts(level: Level | None, index: int) -> bool:
    """Tell whether a paragraph of the level `index` restarts this deeper level."""
    restart = level.restart if level else None
    return restart is None or index < restart


def _numbers(levels: dict[int, Level], counts: dict[int, int], shown: Level) -> list[str]:
    numbers = []
    for index in range(LEVELS):
        level = levels.get(index, Level())
        kind = "decimal" if shown.legal and level.format not in LEFT_BY_LEGAL else level.format
        numbers.append(formatted(counts.get(index, level.start), kind))
    return numbers

"""Finds running heads, feet, page numbers and watermarks by their repetition from page to page."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise, takewhile
from statistics import median
from typing import Literal

from ingest.loading.parsers.pdf.bands import Band, bands_of, shared
from ingest.loading.parsers.pdf.lines import Line, line_of, pieces_of
from ingest.loading.parsers.pdf.pieces import Written, written
from ingest.loading.parsers.pdf.rulings import Box
from ingest.loading.parsers.pdf.tables import Table
from ingest.loading.parsers.pdf.words import Word

# Of the height of the page.
MARGIN = 0.15
MAX_LINES = 3
# Of the height of a line: a head stands apart from the text, and at the same place on each page.
APART = 0.8
WIDER = 1.5
SAME_PLACE = 4.0
MIN_PAGES = 3
MOSTLY = 0.6
LARGER = 1.15

NUMBER = re.compile(r"\d+|\b(?:[ivxlc]+|[IVXLC]+)\b")
PAGE_WORDS = re.compile(r"\bpages?\b|\bp\.|\bof\b|쪽|페이지|면|전체|총", re.IGNORECASE)
LETTER = re.compile(r"[^\W\d_]")

Side = Literal["head", "foot", "aslant"]


@dataclass(frozen=True, slots=True)
class Edge:
    """A line at the top or the bottom of a page, apart from its text, or aslant over it."""

    side: Side
    at: float
    words: list[Word]
    written: Written
    large: bool
    parted: bool
    """Whether wide space parts it, as a chapter's title from the page's number."""

    @property
    def text(self) -> str:
        return self.written.text


class Edges:
    """Finds the lines of each page, in turn, that may be running heads and feet."""

    def __init__(self) -> None:
        self._seen: dict[str, set[tuple[str, int]]] = {"head": set(), "foot": set()}

    def find(
        self, words: Sequence[Word], tables: Sequence[Table], page: Box, angle: int
    ) -> tuple[list[Edge], list[Word], list[Band]]:
        """Return them from top to bottom, and the words between them, also in bands with the tables."""
        bands = bands_of([*words, *tables], angle)
        margin = MARGIN * (page[3] - page[1])
        heads = self._outer("head", bands, lambda band: band.bottom <= page[1] + margin)
        feet = self._outer("foot", bands[::-1], lambda band: band.top >= page[3] - margin)[: len(bands) - len(heads)]
        usual = median(band.height for band in bands) if bands else 0.0
        edges = [_edge("head", band, band.top - page[1], usual) for band in heads]
        edges += [_edge("foot", band, band.top - page[1], usual) for band in reversed(feet)]
        taken = {id(item) for band in (*heads, *feet) for item in band.items}
        rest = [word for word in words if id(word) not in taken]
        return edges, rest, _without_ends(bands, len(heads), len(feet)) or bands_of([*rest, *tables], angle)

    def _outer(self, side: Side, bands: Sequence[Band], in_margin: Callable[[Band], bool]) -> list[Band]:
        """Return the first lines up to a wide gap, if all of them stand in the margin; without a gap, those that an
        earlier page had at the same place."""
        may_be = (side == "foot" or not _is_header(bands, at) for at in range(MAX_LINES))
        found = takewhile(lambda band: in_margin(band) and _is_text(band) and next(may_be), bands[:MAX_LINES])
        lines = list(found)
        texts = [(_pattern(_line(band)), round(band.top / SAME_PLACE)) for band in lines]
        repeated = sum(1 for _ in takewhile(lambda text: text in self._seen[side], texts))
        self._seen[side].update(texts)
        gaps = [max(after.top - before.bottom, before.top - after.bottom) for before, after in pairwise(bands)]
        wide = WIDER * min(gaps) if len(gaps) > 2 else 0.0
        for number, band in enumerate(lines):
            if number == len(gaps) or gaps[number] >= max(APART * band.height, wide):
                return lines[: number + 1]
        return lines[: next((at for at in range(repeated) if _goes_on(side, bands, at)), repeated)]


def _without_ends(bands: list[Band], first: int, last: int) -> list[Band]:
    """Return the bands between, if they are the same without the others."""
    end = len(bands) - last
    overlap = any(0 < at < len(bands) and bands[at - 1].group == bands[at].group for at in (first, end))
    return [] if overlap else bands[first:end]


def _goes_on(side: Side, bands: Sequence[Band], at: int) -> bool:
    """Whether a line is in the middle of a sentence that reaches into the text: letters tell that are not capitals."""
    after = bands[at + 1 : at + 2] if side == "head" else bands[at : at + 1]
    return any(_is_text(band) and _line(band).words[0].text[0].islower() for band in after)


def _is_header(bands: Sequence[Band], at: int) -> bool:
    """Whether a line has columns that the two lines below it have, too: so has the header of a table."""
    gaps, below = bands[at].gaps, bands[at + 1 : at + 3]
    return len(gaps) > 1 and len(below) > 1 and all(len(shared(gaps, band.gaps, 0.1)) == len(gaps) for band in below)


def _is_text(band: Band) -> bool:
    return all(isinstance(item, Word) for item in band.items)


def _line(band: Band) -> Line:
    return line_of(item for item in band.items if isinstance(item, Word))


def _pattern(line: Line) -> str:
    """Return its text, without the numbers if it says nothing but a page's number."""
    text = written(pieces_of(line)).text
    return NUMBER.sub("#", text) if not LETTER.search(PAGE_WORDS.sub("", NUMBER.sub("", text))) else text


def _edge(side: Side, band: Band, at: float, usual: float) -> Edge:
    line = _line(band)
    return Edge(side, at, line.words, written(pieces_of(line)), band.height > LARGER * usual, bool(band.gaps))


def aslant(words: Sequence[Word]) -> list[Edge]:
    """Return the slanted lines of a page, of which each is a word: they may be a watermark."""
    return [Edge("aslant", word.top, [], written([word]), large=False, parted=False) for word in words]


def running(pages: Sequence[Sequence[Edge]]) -> set[int]:
    """Return the ids of the edges that repeat."""
    groups: defaultdict[tuple[str, str], list[tuple[int, Edge]]] = defaultdict(list)
    for number, edges in enumerate(pages, 1):
        for edge in edges:
            groups[edge.side, NUMBER.sub("#", edge.text)].append((number, edge))
    enough = 2 if len(pages) == 2 else MIN_PAGES
    return {
        id(edge)
        for members in groups.values()
        for place in _at_one_place(members)
        if len({number for number, _ in place}) >= enough and _runs(place)
        for _, edge in place
    }


def _at_one_place(members: list[tuple[int, Edge]]) -> Iterator[list[tuple[int, Edge]]]:
    members.sort(key=lambda member: member[1].at)
    place: list[tuple[int, Edge]] = []
    for member in members:
        if place and member[1].at - place[-1][1].at > SAME_PLACE:
            yield place
            place = []
        place.append(member)
    yield place


def _runs(members: Sequence[tuple[int, Edge]]) -> bool:
    """Whether lines that are alike but for their numbers are a running head and not the titles of forms: the numbers
    must count pages."""
    edge = members[0][1]
    if edge.large:
        return False
    if len({each.text for _, each in members}) == 1:
        return True
    words = PAGE_WORDS.sub("", NUMBER.sub("", edge.text))
    counts = any(_is_mostly_one(found - number for number, found in column) for column in _numbers(members))
    if not LETTER.search(words):
        return counts or PAGE_WORDS.search(edge.text) is not None
    return counts and (edge.parted or edge.side == "foot" or PAGE_WORDS.search(edge.text) is not None)


def _is_mostly_one(offsets: Iterable[int]) -> bool:
    """Whether most are alike: the first pages often count by themselves."""
    counted = Counter(offsets)
    return counted.most_common(1)[0][1] >= MOSTLY * counted.total()


def _numbers(members: Sequence[tuple[int, Edge]]) -> Iterator[list[tuple[int, int]]]:
    rows = [(number, [_value(found) for found in NUMBER.findall(edge.text)]) for number, edge in members]
    for place in range(min(len(values) for _, values in rows)):
        yield [(number, values[place]) for number, values in rows]


ROMAN = {"i": 1, "v": 5, "x": 10, "l": 50, "c": 100}


def _value(text: str) -> int:
    if text.isdecimal():
        return int(text[-9:])
    digits = [ROMAN[each] for each in text.lower()]
    return sum(-a if a < b else a for a, b in zip(digits, [*digits[1:], 0], strict=True))

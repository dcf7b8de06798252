"""Makes the text of a page from its words."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from app.language.sentences import goes_on
from ingest.loading.parsers.marks import marked
from ingest.loading.parsers.pdf.annotations import read_annotations
from ingest.loading.parsers.pdf.bands import Band, bands_of
from ingest.loading.parsers.pdf.bookmarks import Titles, split_at_headings
from ingest.loading.parsers.pdf.captions import caption_of
from ingest.loading.parsers.pdf.characters import turned
from ingest.loading.parsers.pdf.continued import Outer, outer_tables, over_columns
from ingest.loading.parsers.pdf.directions import direction, in_one_direction
from ingest.loading.parsers.pdf.footnotes import first_note
from ingest.loading.parsers.pdf.grids import ruled_tables
from ingest.loading.parsers.pdf.habits import Habits, habits_of
from ingest.loading.parsers.pdf.hidden import parted
from ingest.loading.parsers.pdf.layout import Region, arrange, arranged
from ingest.loading.parsers.pdf.lines import continued, joined
from ingest.loading.parsers.pdf.paragraphs import PARAGRAPH, is_full, paragraphs, pieces_of
from ingest.loading.parsers.pdf.pieces import Piece, Written, in_blocks, written
from ingest.loading.parsers.pdf.rulings import Box, read_rulings
from ingest.loading.parsers.pdf.running_heads import Edge, Edges, aslant
from ingest.loading.parsers.pdf.seen import Seen
from ingest.loading.parsers.pdf.tables import Table, markdown, rows_of
from ingest.loading.parsers.pdf.words import Word

# Of the page: a smaller picture is a logo or an ornament.
MIN_FIGURE = 0.05
MIN_WORDS_OVER = 5
MAX_FIGURES = 50


@dataclass(frozen=True, slots=True)
class Figure:
    """`box` is in points from the lower left."""

    box: Box
    caption: str


@dataclass(slots=True)
class PageText:
    """`body` stands between the lines that may be running heads and feet, and before slanted ones; `head` and `foot`
    are what they read like if they are none."""

    edges: list[Edge]
    head: Written
    body: Written
    below: Written
    """Footnotes, and comments of annotations."""
    foot: Written
    hidden: str
    files: int
    tables: Outer
    hyphenates: bool
    """Whether words are broken at the ends of its lines."""
    figures: list[Figure]
    """Pictures that may say something, and over which no text stands."""


def read_page(
    page: Any, index: int, words: Sequence[Word], titles: Titles, forms: Any, edges: Edges | None, known: set[str]
) -> PageText:
    """Read the page of this number after those before it, of which `edges` and `known`, words that are whole, tell."""
    angle = direction(words)
    slanted = [word for word in words if word.style.slant]
    words = [word for word in words if not word.style.slant] if slanted else words

    def turn(box: Box) -> Box:
        return turned(angle, box)

    def is_plain(word: Word) -> bool:
        return rendered.is_plain(turned(angle, (word.x0, word.top, word.x1, word.bottom)))

    rendered = Seen(page)
    drawn = read_rulings(page, turn)
    bounds = turn(page.get_bbox())
    seen, hidden = parted(in_one_direction(words, angle), drawn, bounds, is_plain)
    across, hidden_across = parted([_in_frame(word, angle) for word in slanted], drawn, bounds, is_plain)
    notes = read_annotations(page, index, forms, turn, angle)
    tables, rest = ruled_tables(drawn, [*seen, *notes.words])
    found, rest, bands = _without_edges(rest, tables, bounds, angle, edges)
    habits = habits_of(rest, known)
    flowing = partial(_flowing, titles=titles, full=_full(rest, bounds), habits=habits)
    comments: list[list[Piece]] = [[marked("Comment", comment)] for comment in notes.comments]
    regions = over_columns(arranged(bands, angle))
    blocks = flowing(regions)
    first = first_note(blocks)
    return PageText(
        [*(replace(edge, words=[]) for edge in found), *aslant(across)],
        _at_edge("head", found, angle, flowing),
        written(in_blocks(blocks[:first])),
        written(in_blocks([*blocks[first:], *comments])),
        _at_edge("foot", found, angle, flowing),
        " ".join(word.text for word in (*hidden, *hidden_across)),
        notes.files,
        outer_tables(regions),
        habits.hyphenates,
        [Figure(turn(box), caption_of(box, seen, habits)) for box in _figures(drawn.pictures, bounds, seen)],
    )


def _at_edge(
    side: str, edges: Sequence[Edge], angle: int, flowing: Callable[[list[Region]], list[list[Piece]]]
) -> Written:
    words = [word for edge in edges if edge.side == side for word in edge.words]
    return written(in_blocks(flowing(arrange(words, angle))))


def _in_frame(word: Word, angle: int) -> Word:
    """Return the word with its box as it lies on a page of this angle."""
    x0, top, x1, bottom = turned(angle, turned(word.style.angle, (word.x0, word.top, word.x1, word.bottom)))
    return replace(word, x0=x0, top=top, x1=x1, bottom=bottom)


def _without_edges(
    words: list[Word], tables: Sequence[Table], page: Box, angle: int, edges: Edges | None
) -> tuple[list[Edge], list[Word], list[Band]]:
    """Return the lines that may be running heads and feet, the words between them, and the bands of those."""
    return edges.find(words, tables, page, angle) if edges else ([], words, bands_of([*words, *tables], angle))


def _full(words: Sequence[Word], page: Box) -> float:
    """Return where lines would end if the margins were alike."""
    return page[2] + page[0] - min((word.x0 for word in words), default=0.0)


def _flowing(regions: Sequence[Region], titles: Titles, full: float, habits: Habits) -> list[list[Piece]]:
    blocks: list[list[Piece]] = []
    before: Region = []
    for region in regions:
        found = _blocks(region, titles, full, habits)
        if _goes_on(before, region) and blocks[-1][0] == found[0][0] == PARAGRAPH:
            one, two = blocks[-1], found[0]
            if goes_on(written(one).text, written(two).text):
                blocks[-1] = continued(one, two[1:], habits)
                found = found[1:]
        blocks += found
        before = region
    return blocks


def _goes_on(column: Region, after: Region) -> bool:
    """Whether a sentence may go on at the top of the column beside it."""
    return not isinstance(column, Table) and not isinstance(after, Table) and bool(column) and is_full(column, after)


def _figures(pictures: Sequence[Box], page: Box, words: Sequence[Word]) -> list[Box]:
    """Return them. A picture with text over it is a background, or a scan that OCR has read."""
    area = (page[2] - page[0]) * (page[3] - page[1])
    large = [box for box in pictures if (box[2] - box[0]) * (box[3] - box[1]) >= MIN_FIGURE * area][:MAX_FIGURES]
    middles = [((word.x0 + word.x1) / 2, (word.top + word.bottom) / 2) for word in words]
    return [
        (x0, top, x1, bottom)
        for x0, top, x1, bottom in large
        if sum(x0 < x < x1 and top < y < bottom for x, y in middles) < MIN_WORDS_OVER
    ]


def _blocks(region: Region, titles: Titles, full: float, habits: Habits) -> list[list[Piece]]:
    if isinstance(region, Table):
        return [markdown(rows_of(region, habits))]
    blocks: list[list[Piece]] = []
    for level, lines in split_at_headings(region, titles):
        if level:
            blocks.append([f"{'#' * level} ", *joined(lines, habits)])
        else:
            blocks.extend(pieces_of(paragraph, habits) for paragraph in paragraphs(lines, full))
    return blocks

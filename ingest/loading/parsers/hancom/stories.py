"""The lists of paragraphs that a document of Hancom's consists of: its text, cells, boxes, notes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from ingest.loading.parsers.exponents import joined
from ingest.loading.parsers.flow import Block, Heading, PageBreak
from ingest.loading.parsers.hancom.layout import Layout, Line
from ingest.loading.parsers.hancom.styles import OUTLINE, Shape, Styles
from ingest.loading.picture_marks import says_nothing

TEXT, BOX, CELL, CAPTION, HEADER, FOOTER = "text", "box", "cell", "caption", "header", "footer"
FOOTNOTE, ENDNOTE, MEMO, HIDDEN = "footnote", "endnote", "memo", "hidden"
# Many set whole paragraphs in an outline: longer ones, and deeper ones, are text.
MAX_HEADING, DEEPEST = 150, 6


@dataclass(slots=True)
class Paragraph:
    shape: Shape | None
    pieces: list[str] = field(default_factory=list)
    raised: set[int] = field(default_factory=set)
    """The numbers of the pieces that stand above the line."""
    blocks: list[Block] = field(default_factory=list)
    held: list[Block] = field(default_factory=list)
    """What is to follow the text."""
    notes: list[Block] = field(default_factory=list)
    label: str | None = None
    """Its number or bullet; None until it is counted."""
    pages_before: int = 0
    pages_within: int = 0
    is_laid_out: bool = False

    def count(self, styles: Styles) -> None:
        if self.label is None:
            self.label = styles.label(self.shape) if self.shape else ""

    @property
    def at_line_start(self) -> bool:
        """Whether what is placed now stands before no text of the same line, nor between a number and its text."""
        return self.pieces[-1].endswith("\n") if self.pieces else self.shape is None

    def flush(self, *, headings: bool) -> None:
        """End the text so far, and let what was held follow it."""
        text = joined((piece, at in self.raised) for at, piece in enumerate(self.pieces)).strip()
        if text or (self.label and not all(isinstance(each, str) and says_nothing(each) for each in self.held)):
            numbered = f"{self.label or ''} {text}".strip()
            level = self.shape.level if self.shape and self.shape.head == OUTLINE else DEEPEST
            is_heading = headings and level < DEEPEST and 0 < len(text) <= MAX_HEADING
            self.blocks.append(Heading(level + 1, " ".join(numbered.split())) if is_heading else numbered)
            self.label, self.shape = "", None
        self.blocks += self.held
        self.pieces.clear()
        self.raised.clear()
        self.held.clear()


@dataclass(slots=True)
class Story:
    kind: str
    number: str = ""
    """A note's number, as its reference shows it."""
    lost: bool = False
    """Whether it lies in deleted text."""
    host: Paragraph | None = None
    """The paragraph that takes the notes of this story: outside the table in which it lies."""
    blocks: list[Block] = field(default_factory=list)
    paragraph: Paragraph | None = None
    deletions: set[str] = field(default_factory=set)
    """The changes whose deleted text has begun and not ended."""
    joined: bool = False
    """Whether the end of the last paragraph was deleted: the next one continues it."""

    @property
    def deleted(self) -> bool:
        return self.lost or bool(self.deletions)

    def opened(self) -> Paragraph:
        if self.paragraph is None:
            self.paragraph = Paragraph(None)
        return self.paragraph

    def lay_out(self, layout: Layout, lines: Sequence[Line]) -> None:
        """Find out whether the open paragraph begins a page, or one begins within it: that comes after it."""
        paragraph = self.opened()
        before, within = layout.place(lines, is_blank=not any(map(str.strip, paragraph.pieces)))
        if paragraph.is_laid_out:
            before, within = 0, before + within
        paragraph.pages_before += before
        paragraph.pages_within += within
        paragraph.is_laid_out = True

    def continues(self, shape: Shape | None) -> None:
        """Begin a paragraph, or go on with the last one."""
        self.joined = False
        if self.paragraph is None:
            self.paragraph = Paragraph(shape)
        elif not self.paragraph.pieces and self.paragraph.label is None:
            # Of a paragraph that was deleted with its end, nothing stays.
            self.paragraph.shape = shape

    def end_paragraph(self, styles: Styles) -> None:
        paragraph = self.paragraph
        if paragraph is not None and not self.lost:
            self.deletions.clear()
            paragraph.count(styles)
            paragraph.flush(headings=self.kind == TEXT)
            self.blocks += [*[PageBreak()] * paragraph.pages_before, *paragraph.blocks]
            (self.host.notes if self.host else self.blocks).extend(paragraph.notes)
            self.blocks += [PageBreak()] * paragraph.pages_within
        self.paragraph, self.joined = None, False

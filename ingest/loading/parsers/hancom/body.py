"""Collects a document as its reader meets it: paragraphs, and what stands in, beside and after them.

What a paragraph holds follows the paragraph's text, so that no sentence is cut: its tables and boxes first, then its
notes. Notes in a table follow the table.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import count, takewhile

from ingest.loading.parsed import Options, Page, Parsed
from ingest.loading.parsers.flow import Block, one_line, pages_of
from ingest.loading.parsers.hancom.grids import Cell, OpenTable
from ingest.loading.parsers.hancom.layout import Layout, Line
from ingest.loading.parsers.hancom.numbers import written
from ingest.loading.parsers.hancom.stories import (
    BOX,
    CELL,
    ENDNOTE,
    FOOTER,
    FOOTNOTE,
    HEADER,
    HIDDEN,
    MEMO,
    TEXT,
    Story,
)
from ingest.loading.parsers.hancom.styles import Styles
from ingest.loading.parsers.marks import marked
from ingest.loading.parsers.notes import as_note
from ingest.loading.parsers.office_notices import counted, embedded, hidden, pictures
from ingest.loading.parsers.titles import own
from ingest.loading.picture_marks import Size, caption, picture_text, waits, without_marks

MARKS = {FOOTNOTE: "Footnote", ENDNOTE: "Endnote", MEMO: "Comment", HIDDEN: "Hidden comment"}
NOTES = (FOOTNOTE, ENDNOTE)
WORD = re.compile(r"[^\W_]")
# The program describes a picture by its file.
MADE_DESCRIPTION = re.compile(r"\s*그림입니다")
# Drawn text shows the ends of its lines.
LINE_END = re.compile(r"[\r\n␍␊]+")
MAX_HEADER_ROWS = 10


class Body:
    def __init__(self, styles: Styles, options: Options) -> None:
        self.layout = Layout()
        self._styles = styles
        self._options = options
        self._text = Story(TEXT)
        self._stories = [self._text]
        self._tables: list[OpenTable] = []
        self._running: set[str] = set()
        self._feet: list[Block] = []
        self._counts: dict[str, int] = {}
        self._pictures = self._objects = self._hidden = 0

    @property
    def _story(self) -> Story:
        return self._stories[-1]

    def parsed(self, title: str | None) -> Parsed:
        while len(self._stories) > 1:
            self.close_story()
        self._text.end_paragraph(self._styles)
        parsed = Parsed(None, self._pages())
        parsed.title = own(title, parsed.text)
        if self._pictures:
            parsed.warnings.append(pictures(self._pictures))
        if self._objects:
            parsed.warnings.append(embedded(self._objects))
        if self._hidden and self._options.hidden_parts == "skip":
            parsed.warnings.append(hidden(counted(self._hidden, "hidden comment")))
        return parsed

    def _pages(self) -> list[Page]:
        pages = pages_of([*self._text.blocks, *self._feet])
        if self.layout.agrees(len(pages)):
            return [Page(number, text) for number, text in enumerate(pages, start=1)]
        return [Page(None, "\n\n".join(filter(None, pages)))]

    @property
    def text_layout(self) -> Layout | None:
        """None in cells, boxes and notes, whose lines say nothing of pages."""
        return self.layout if self._story is self._text else None

    def lay_out(self, lines: Sequence[Line]) -> None:
        if layout := self.text_layout:
            self._text.lay_out(layout, lines)

    def open_paragraph(self, shape: int) -> None:
        story = self._story
        if story.paragraph is not None and not story.joined:
            story.end_paragraph(self._styles)
        story.continues(self._styles.shapes.get(shape))
        if shape in self._styles.begin_pages and (layout := self.text_layout):
            layout.break_page()

    def close_paragraph(self) -> None:
        story = self._story
        if story.deletions:
            story.joined = True
        elif not story.joined:
            story.end_paragraph(self._styles)

    def raises(self, characters: int) -> bool:
        """Tell whether characters of this shape stand above the line."""
        return characters in self._styles.raised

    def text(self, text: str, *, raised: bool = False) -> None:
        if text and not self._story.deleted:
            paragraph = self._story.opened()
            if raised:
                paragraph.raised.add(len(paragraph.pieces))
            paragraph.pieces.append(text)

    def word(self, text: str) -> None:
        """Write what a form's field shows, apart from the text before it."""
        pieces = self._story.opened().pieces
        self.text(f" {text}" if text and pieces and not pieces[-1][-1:].isspace() else text)

    def begin_deletion(self, change: str) -> None:
        self._story.deletions.add(change)

    def end_deletion(self, change: str, *, with_paragraph: bool = False) -> None:
        self._story.deletions.discard(change)
        self._story.joined |= with_paragraph

    def open_story(self, kind: str, number: str = "") -> None:
        around = self._story
        self._count_around()
        host = around.host or (around.opened() if kind == CELL else None)
        self._stories.append(Story(kind, number, around.deleted, host))

    def close_story(self) -> list[Block]:
        """Put the story where it belongs, and return its blocks: a cell's and a caption's belong to a table."""
        story = self._stories.pop()
        if story.paragraph is not None:
            story.end_paragraph(self._styles)
        if story.lost or not story.blocks:
            return []
        if story.kind == BOX:
            self.place(story.blocks)
        elif story.kind == HIDDEN:
            self._hidden += 1
            if self._options.hidden_parts == "mark":
                self._add_note(story)
        elif story.kind in MARKS:
            self._add_note(story)
        elif story.kind in (HEADER, FOOTER):
            self._place_once(story)
        return story.blocks

    def add_memo(self, text: str) -> None:
        if text and not self._story.deleted:
            self._add_note(Story(MEMO, blocks=[text]))

    def _add_note(self, story: Story) -> None:
        host = self._story.host or self._story.opened()
        host.notes += as_note(story.blocks, lambda text: marked(MARKS[story.kind], text, story.number))

    def _place_once(self, story: Story) -> None:
        """Every section repeats the heads and feet of its pages."""
        text = without_marks(one_line(story.blocks))
        if not WORD.search(text) or text in self._running:
            return
        self._running.add(text)
        if story.kind == HEADER:
            self.place(story.blocks)
        else:
            self._feet += story.blocks

    def open_table(self) -> None:
        self._count_around()
        self._tables.append(OpenTable())

    def add_cell(self, cell: Cell) -> None:
        opened, place = self._tables[-1], (cell.row, cell.column)
        opened.table.cells.setdefault(place, []).extend(cell.blocks)
        if cell.rows > 1 or cell.columns > 1:
            opened.table.spans[place] = (cell.rows, cell.columns)
        if cell.header:
            opened.header_rows.add(cell.row)

    def add_caption(self, blocks: list[Block], *, above: bool, to_table: bool) -> None:
        """Set the caption beside its table; that of a picture stands for the picture."""
        if not to_table:
            first = [caption(self._options, each) for each in blocks[:1] if isinstance(each, str)]
            self.place([*first, *blocks[len(first) :]])
        elif above:
            self._tables[-1].above += blocks
        else:
            self._tables[-1].below += blocks

    def close_table(self) -> None:
        opened = self._tables.pop()
        rows = takewhile(opened.header_rows.__contains__, count())
        opened.table.headers = min(max(1, sum(1 for _ in rows)), MAX_HEADER_ROWS)
        self.place([*opened.above, *([opened.table] if opened.table.cells else []), *opened.below])

    def place(self, blocks: Sequence[Block]) -> None:
        """Place what is no text: at once where a line of text is ended, otherwise after the text."""
        if self._story.deleted:
            return
        paragraph = self._story.opened()
        paragraph.held += blocks
        if paragraph.at_line_start:
            paragraph.flush(headings=self._story is self._text)

    def place_drawn(self, text: str) -> None:
        """Place text that is drawn."""
        if lines := [line for line in map(str.strip, LINE_END.split(text)) if line]:
            self.place(["\n".join(lines)])

    def add_picture(self, description: str = "", name: str = "", size: Size | None = None) -> None:
        """Place what a user wrote about a picture, or count it. `name`: of its file in the package."""
        alt = "" if MADE_DESCRIPTION.match(description) else " ".join(description.split())
        if not alt and not waits(self._options, name):
            self._pictures += not self._story.deleted
        if text := picture_text(self._options, name, size, alt, marked("Picture", alt) if alt else ""):
            self.place([text])

    def add_object(self) -> None:
        self._objects += not self._story.deleted

    def number(self, kind: str, number: int, number_format: str, before: str = "", after: str = "") -> None:
        """Write an automatic number; 0 goes on counting. A note's own number is in its mark."""
        story = self._story
        if story.deleted:
            return
        self._counts[kind] = number or self._counts.get(kind, 0) + 1
        shown = written(self._counts[kind], number_format)
        if kind in NOTES and story.kind in NOTES:
            story.number = shown
        elif kind != "page" or story.kind not in (HEADER, FOOTER):
            self.text(f"{before}{shown}{after}")

    def restart(self, kind: str, number: int) -> None:
        self._counts[kind] = number - 1

    def set_outline(self, numbering: int) -> None:
        self._styles.outline = numbering

    def _count_around(self) -> None:
        """Count the open paragraph before those that lie in it."""
        story = self._story
        if story.paragraph is not None and not story.deleted:
            story.paragraph.count(self._styles)

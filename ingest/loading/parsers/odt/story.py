"""Keeps track of the paragraphs, lists, tables and text boxes of an OpenDocument text."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import partial

from ingest.loading.parsed import Options
from ingest.loading.parsers.exponents import Run, joined
from ingest.loading.parsers.flow import Block, Flow, Place, one_line
from ingest.loading.parsers.marks import marked
from ingest.loading.parsers.notes import as_note
from ingest.loading.parsers.odt.styles import Counter, Level, Styles
from ingest.loading.picture_marks import CAPTION, says_nothing


@dataclass(slots=True)
class Paragraph:
    """`level` is a heading's from 1, 0 for text; `later` holds what is anchored in it and follows it."""

    level: int = 0
    label: str = ""
    parts: list[Run] = field(default_factory=list)
    later: list[Block] = field(default_factory=list)
    breaks: int = 0
    is_caption: bool = False


@dataclass(slots=True)
class Numbered:
    """A list that is open: its levels, and how deep it is in others."""

    levels: dict[int, Level]
    counter: Counter
    depth: int
    waits: bool = False
    """Whether the next paragraph begins an item."""
    start: int | None = None


@dataclass(slots=True)
class State:
    """What a note, a comment or a text box interrupts."""

    paragraph: Paragraph | None = None
    lists: list[Numbered] = field(default_factory=list)
    hidden: int = 0


@dataclass(slots=True)
class Grid:
    row: int = -1
    column: int = 0
    headers: int = 0
    cells: list[tuple[int, int]] = field(default_factory=list)


class Story:
    def __init__(self, flow: Flow, styles: Styles, options: Options) -> None:
        self.flow = flow
        self.styles = styles
        self.hides = False
        self.breaks = 0
        self.state = State()
        self.grids: list[Grid] = []
        self._mark_hidden = options.hidden_parts == "mark"
        self._notes_captions = options.picture_places
        self._interrupted: list[State] = []
        self._notes: list[Block] = []
        self._by_id: dict[str, Counter] = {}
        self._by_style: dict[str, Counter] = {}
        self._outline = Counter()

    @property
    def visible(self) -> bool:
        return not self.state.hidden or self._mark_hidden

    def add(self, text: str, *, raised: bool = False) -> None:
        paragraph = self.state.paragraph
        if paragraph is None or not text:
            return
        if self.state.hidden:
            self.hides |= bool(text.strip())
            if self._mark_hidden and text.strip():
                paragraph.parts.append((marked("Hidden", text), False))
            return
        paragraph.parts.append((text, raised))

    def add_later(self, blocks: list[Block]) -> None:
        if not self.visible:
            self.hides |= bool(blocks)
        elif self.state.paragraph is not None:
            self.state.paragraph.later += blocks
        else:
            self.flow.add(blocks)

    def start_paragraph(self, level: int, *, begins_page: bool, start: int | None) -> None:
        if self.state.paragraph is not None:
            self.end_paragraph()
        if begins_page:
            self.break_page()
        label = "" if self.state.hidden else self._label(level, start)
        self.state.paragraph = Paragraph(level, label)

    def _label(self, level: int, start: int | None) -> str:
        lists = self.state.lists
        if lists and lists[-1].waits:
            numbered = lists[-1]
            numbered.waits = False
            return numbered.counter.label(numbered.levels, numbered.depth, numbered.start)
        return self._outline.label(self.styles.outline, level, start) if level and not lists else ""

    def end_paragraph(self) -> None:
        paragraph = self.state.paragraph
        if paragraph is None:
            return
        self.state.paragraph = None
        text = joined(paragraph.parts).strip()
        if text and paragraph.level:
            self.flow.heading(paragraph.level, paragraph.label + text)
        elif text:
            self.flow.paragraph((CAPTION if paragraph.is_caption else "") + paragraph.label + text)
        self.flow.add(paragraph.later)
        if not self._interrupted and not self.grids:
            self.write_notes()
            for _ in range(paragraph.breaks):
                self.flow.break_page()

    def write_notes(self) -> None:
        self.flow.add(self._notes)
        self._notes.clear()

    def count(self) -> None:
        """Take the number of a table or picture, which its caption has."""
        if self.state.paragraph is not None:
            self.state.paragraph.is_caption = self._notes_captions

    def interrupt(self) -> None:
        self._interrupted.append(self.state)
        self.state = State(hidden=self.state.hidden)
        self.flow.open_part()

    def resume(self) -> list[Block]:
        self.end_paragraph()
        blocks = self.flow.close_part()
        self.state = self._interrupted.pop()
        return blocks

    def note(self, blocks: list[Block], mark: str) -> None:
        """Write a note or comment after the paragraph or table that refers to it."""
        if not says_nothing(one_line(blocks)) and not self.state.hidden:
            told = (lambda text: f"[{mark}: {text}]") if mark else partial(marked, "Comment")
            self._notes += as_note(blocks, told)

    def open_list(self, style: str, own_id: str, follows: str, *, continues: bool) -> None:
        lists = self.state.lists
        if lists:
            levels = self.styles.lists.get(style) if style else lists[-1].levels
            lists.append(Numbered(levels or lists[-1].levels, lists[-1].counter, len(lists) + 1))
            return
        counter = self._by_id.get(follows) or (self._by_style.get(style) if continues else None) or Counter()
        self._by_style[style] = counter
        if own_id:
            self._by_id[own_id] = counter
        lists.append(Numbered(self.styles.lists.get(style, {}), counter, 1))

    def open_item(self, start: int | None) -> None:
        if self.state.lists:
            self.state.lists[-1].waits, self.state.lists[-1].start = True, start

    def close_list(self) -> None:
        if self.state.lists:
            self.state.lists.pop()

    def break_page(self) -> None:
        """Break after a paragraph, not inside: a sentence stays whole, on the page where its paragraph begins."""
        if self._interrupted:
            return
        self.breaks += 1
        if self.grids:
            self.flow.break_before_row(self.grids[0].row)
        elif self.state.paragraph is not None and joined(self.state.paragraph.parts).strip():
            self.state.paragraph.breaks += 1
        else:
            self.flow.break_page()

    def open_table(self) -> None:
        self.end_paragraph()
        self.flow.open_table()
        self.grids.append(Grid())

    def open_row(self, *, is_header: bool) -> None:
        grid = self.grids[-1]
        grid.row, grid.column = grid.row + 1, 0
        grid.headers += is_header and grid.headers == grid.row

    def open_cell(self, rows: int, columns: int) -> None:
        self.flow.open_cell()
        self.grids[-1].cells.append((rows, columns))

    def close_cell(self, times: int) -> None:
        self.end_paragraph()
        grid = self.grids[-1]
        rows, columns = grid.cells.pop()
        place: Place = (grid.row, grid.column)
        grid.column += times
        self.flow.close_cell(*place, rows=rows, columns=columns)

    def close_table(self) -> None:
        self.flow.header_rows(self.grids.pop().headers)
        self.flow.close_table()
        if not self.grids and not self._interrupted:
            self.write_notes()

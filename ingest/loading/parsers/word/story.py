"""Keeps track of the paragraphs, tables and text boxes of a part, and of what is visible in them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from ingest.loading.parsers.flow import Flow
from ingest.loading.parsers.marks import marked
from ingest.loading.parsers.ooxml import Attributes
from ingest.loading.parsers.symbols import readable
from ingest.loading.parsers.word.context import Context
from ingest.loading.parsers.word.fields import Fields, FormField
from ingest.loading.parsers.word.paragraphs import ParagraphWriter
from ingest.loading.parsers.word.properties import SETTERS, Paragraph, Run, Section, Setter
from ingest.loading.parsers.word.tables import Cell, Open, Row, Tables

Handlers = dict[str, Callable[[Attributes], None]]


@dataclass(slots=True)
class Container:
    """Properties that are being read, until the element that holds them ends."""

    name: str
    target: object
    setters: dict[str, Setter]
    outer: Container | None = None


@dataclass(slots=True)
class State:
    """What a text box interrupts. `before` is a paragraph whose end was deleted."""

    run: Run = field(default_factory=Run)
    paragraph: Paragraph | None = None
    before: Paragraph | None = None
    cells: list[Cell] = field(default_factory=list)
    hidden: bool = False


class Story:
    """The body, a header or footer, a note or a comment."""

    def __init__(self, context: Context, flow: Flow, *, page_numbers: bool = True) -> None:
        self.sections: list[Section] = []
        self.breaks = 0
        self.context = context
        self.flow = flow
        self.fields = Fields(page_numbers=page_numbers)
        self.tables = Tables(flow)
        self.container: Container | None = None
        self.writer = ParagraphWriter(context, flow)
        self.awaited: Callable[[str], str] | None = None
        """Makes a note's mark of the text that follows its reference."""
        self._state = State()
        self._interrupted: list[State] = []

    @property
    def visible(self) -> bool:
        return not (self._state.hidden or self.fields.muted)

    @property
    def paragraph(self) -> Paragraph:
        """Return the open paragraph, a new one for text outside of any, as damaged files have it."""
        if self._state.paragraph is None:
            self._state.paragraph = Paragraph()
        return self._state.paragraph

    def add(self, text: str) -> None:
        """Add text to the paragraph, unless it is hidden or an instruction."""
        if self.fields.muted or not text:
            return
        if self.awaited is not None and text.strip() and not self._state.hidden:
            make_mark, self.awaited = self.awaited, None
            text = make_mark(text.strip())
        paragraph = self.paragraph
        if self._state.hidden:
            if text.strip():
                paragraph.holds_hidden = self.context.hides = True
            if self.context.options.hidden_parts != "skip":
                self._add_hidden(paragraph, text)
            return
        if self._state.run.font:
            text = readable(text, self._state.run.font)
        paragraph.parts.append((text, self._raised))

    @property
    def _raised(self) -> bool:
        run = self._state.run
        if run.raised is None and run.style is not None:
            return bool(self.context.styles.of(run.style).raised)
        return bool(run.raised)

    def _add_hidden(self, paragraph: Paragraph, text: str) -> None:
        """Mark hidden text, once for runs that follow each other."""
        if paragraph.hidden_end == len(paragraph.parts) > 0:
            paragraph.parts.pop()
            text = paragraph.hidden_text + text
        paragraph.parts.append((marked("Hidden", text), False))
        paragraph.hidden_text, paragraph.hidden_end = text, len(paragraph.parts)

    def add_later(self, text: str) -> None:
        """Add a line after the paragraph."""
        if self.visible and text.strip():
            self.paragraph.later.append(text.strip())

    def start_paragraph(self, _: Attributes) -> None:
        self._end_loose_text()
        self._state.paragraph = Paragraph(hidden=self.context.styles.of(None).hidden)
        self.start_run({})

    def start_paragraph_properties(self, _: Attributes) -> None:
        self.open_container("pPr", self.paragraph)

    def start_run(self, _: Attributes) -> None:
        self._state.run = Run()
        self._hide()

    def start_run_properties(self, _: Attributes) -> None:
        self.open_container("rPr", self._state.run)

    def open_container(self, name: str, target: object, kind: str = "") -> None:
        self.container = Container(name, target, SETTERS[kind or name], self.container)

    def property(self, container: Container, name: str, attributes: Attributes) -> None:
        if setter := container.setters.get(name):
            setter(container.target, attributes)
        elif name == "rPr" and container.name == "pPr":
            self.open_container("rPr", container.target, "end of paragraph")
        elif name == "sectPr":
            self.open_container("sectPr", Section())

    def close_container(self, container: Container) -> None:
        self.container = container.outer
        match container.target:
            case Run() as run:
                if run.hidden is not None or run.style is not None:
                    self._hide()
            case Paragraph() as paragraph:
                if paragraph.style is not None:
                    paragraph.hidden = self.context.styles.of(paragraph.style).hidden
                if self.writer.begins_page(paragraph):
                    self.page_break({})
            case Section() as section:
                self.sections.append(section)
            case FormField() as form:
                self.add(form.text())

    def _hide(self) -> None:
        """Find out whether the run is hidden: by itself, or by its styles."""
        run, paragraph = self._state.run, self._state.paragraph
        if run.hidden is not None:
            hidden = run.hidden
        else:
            styles, table = self.context.styles, self.tables.table
            named = (run.style, table.style if table else None)
            said = [styles.of(each).hidden for each in named if each is not None]
            hidden = styles.hide((paragraph.hidden if paragraph else styles.of(None).hidden), *said)
        self._state.hidden = hidden or (bool(self.tables) and self.tables.hides)

    def end_paragraph(self) -> None:
        self.fields.close_instructions()
        paragraph = self._state.paragraph
        if paragraph is None:
            return
        self._state.paragraph = None
        self._state.before = self.writer.write(paragraph, self._state.before)
        if self._state.before is None and not self._interrupted and not self.tables:
            self.writer.write_notes()
            for _ in range(paragraph.breaks):
                self.flow.break_page()
        self._state.hidden = False

    def _end_loose_text(self) -> None:
        if self._state.paragraph is not None:
            self.end_paragraph()

    def end_joined(self) -> None:
        """Write a paragraph whose end was deleted, where no other follows that it could be joined to."""
        self._end_loose_text()
        if self._state.before is not None:
            rest, self._state.before = self._state.before, None
            rest.joined = False
            self.writer.write(rest, None)

    def finish(self) -> None:
        self.end_joined()
        self.writer.write_notes()

    def start_table(self, _: Attributes) -> None:
        self.end_joined()
        self.tables.open_table()

    def end_table(self) -> None:
        if self.tables:
            self.tables.close_table()
        if not self.tables and not self._interrupted:
            self.writer.write_notes()

    def start_table_properties(self, _: Attributes) -> None:
        self.open_container("tblPr", self.tables.table or Open(Row(0)))

    def start_row(self, _: Attributes) -> None:
        self.tables.open_row()

    def start_row_properties(self, _: Attributes) -> None:
        self.open_container("trPr", self.tables.row or Row(0))

    def start_cell(self, _: Attributes) -> None:
        if self.tables:
            self.flow.open_cell()
            self._state.cells.append(Cell())

    def start_cell_properties(self, _: Attributes) -> None:
        self.open_container("tcPr", self._state.cells[-1] if self._state.cells else Cell())

    def end_cell(self) -> None:
        if self.tables and self._state.cells:
            self.end_joined()
            if self.tables.close_cell(self._state.cells.pop()):
                self.context.hides = True

    def start_box(self, _: Attributes) -> None:
        self._interrupted.append(self._state)
        self._state = State()
        self.flow.open_part()

    def end_box(self) -> None:
        if not self._interrupted:
            return
        self.end_joined()
        blocks = self.flow.close_part()
        self._state = self._interrupted.pop()
        if self.visible:
            self.paragraph.later += blocks
        else:
            self.context.hides |= bool(blocks)

    def page_break(self, _: Attributes) -> None:
        """Break after a paragraph, not inside: a sentence stays whole, on the page where its paragraph begins."""
        if self._interrupted:
            return
        self.breaks += 1
        if self.tables:
            self.tables.new_page()
        elif self._state.paragraph is not None and self._state.paragraph.text.strip():
            self._state.paragraph.breaks += 1
        else:
            self.flow.break_page()

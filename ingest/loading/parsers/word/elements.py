"""Reads the elements of a part that holds paragraphs."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from ingest.loading.parsers.exponents import Run
from ingest.loading.parsers.flow import Flow
from ingest.loading.parsers.omml import EquationReader
from ingest.loading.parsers.ooxml import Attributes
from ingest.loading.parsers.symbols import FONTS, readable
from ingest.loading.parsers.word.attributes import value
from ingest.loading.parsers.word.context import Context
from ingest.loading.parsers.word.drawings import Drawings
from ingest.loading.parsers.word.equation_fields import equation_text
from ingest.loading.parsers.word.fields import FormField
from ingest.loading.parsers.word.properties import Section
from ingest.loading.parsers.word.references import References
from ingest.loading.parsers.word.story import Handlers, Story

# What was deleted or moved away, what was before a tracked change, and settings that hold other settings.
SKIPPED = {
    "del", "moveFrom", "sdtPr", "rubyPr", "tblPrEx", "tblGrid", "pPrChange", "rPrChange", "sectPrChange", "tblPrChange",
    "tblPrExChange", "tblGridChange", "tcPrChange", "trPrChange", "numberingChange",
}  # fmt: skip
CHARACTERS = {"tab": "\t", "ptab": "\t", "cr": "\n", "noBreakHyphen": "-"}


class PartReader:
    def __init__(self, context: Context, part: str, flow: Flow, *, page_numbers: bool = True) -> None:
        self.story = Story(context, flow, page_numbers=page_numbers)
        self._skipped = 0
        self._equation: EquationReader | None = None
        self._equations = 0
        # Of each set of alternatives, whether one was read.
        self._alternatives: list[bool] = []
        self._in_text = self._in_instruction = False
        self._before_ruby: list[list[Run]] = []
        self._ruby = ""
        drawings, references = Drawings(self.story, part), References(self.story)
        self._starts = self._start_handlers() | drawings.starts | references.starts
        self._ends = self._end_handlers() | drawings.ends | references.ends

    def _start_handlers(self) -> Handlers:
        story = self.story
        characters = {name: partial(self._character, text) for name, text in CHARACTERS.items()}
        return characters | {
            "p": story.start_paragraph, "pPr": story.start_paragraph_properties, "r": story.start_run,
            "rPr": story.start_run_properties, "t": self._start_text, "instrText": self._start_instruction,
            "tbl": story.start_table, "tblPr": story.start_table_properties, "tr": story.start_row,
            "trPr": story.start_row_properties, "tc": self._start_cell, "tcPr": story.start_cell_properties,
            "sectPr": partial(self._properties, "sectPr"), "txbxContent": story.start_box,
            "lastRenderedPageBreak": story.page_break, "br": self._break, "fldChar": self._field,
            "fldSimple": self._simple_field,
            "ffData": self._form, "sym": self._symbol, "rt": self._start_ruby, "oMath": self._start_equation,
            "AlternateContent": self._start_alternatives, "Choice": self._start_alternative,
            "Fallback": self._start_alternative,
        }  # fmt: skip

    def _end_handlers(self) -> dict[str, Callable[[], None]]:
        story = self.story
        return {
            "p": story.end_paragraph, "t": self._end_text, "instrText": self._end_text, "tbl": story.end_table,
            "tr": story.tables.close_row, "tc": story.end_cell, "txbxContent": story.end_box,
            "fldSimple": self._end_field, "rt": self._end_ruby, "ruby": self._add_ruby,
            "AlternateContent": self._end_alternatives,
        }  # fmt: skip

    def start(self, name: str, attributes: Attributes) -> None:
        if self._skipped:
            self._skipped += 1
        elif (container := self.story.container) is not None:
            if name in SKIPPED and name not in container.setters:
                self._skipped = 1
            else:
                self.story.property(container, name, attributes)
        elif name in SKIPPED:
            self._skipped = 1
        elif self._equation is not None:
            self._equations += name == "oMath"
            self._equation.start(name, attributes)
        elif handler := self._starts.get(name):
            handler(attributes)

    def text(self, text: str) -> None:
        if self._skipped:
            return
        if self._equation is not None:
            self._equation.text(text)
        elif self._in_text:
            self.story.fields.show()
            self.story.add(text)
        elif self._in_instruction:
            self.story.fields.instruct(text)

    def end(self, name: str) -> None:
        if self._skipped:
            self._skipped -= 1
        elif (container := self.story.container) is not None:
            if name == container.name:
                self.story.close_container(container)
        elif self._equation is not None:
            self._end_in_equation(name)
        elif handler := self._ends.get(name):
            handler()

    def _start_text(self, _: Attributes) -> None:
        self._in_text = True

    def _start_instruction(self, _: Attributes) -> None:
        self._in_instruction = True

    def _end_text(self) -> None:
        self._in_text = self._in_instruction = False

    def _character(self, text: str, _: Attributes) -> None:
        self.story.add(text)

    def _break(self, attributes: Attributes) -> None:
        """End a line, and a page where no program has laid out the pages."""
        if value(attributes, "type") == "page" and not self.story.context.is_laid_out:
            self.story.page_break(attributes)
        self.story.add("\n")

    def _symbol(self, attributes: Attributes) -> None:
        font = value(attributes, "font")
        try:
            code = int(value(attributes, "char"), 16)
        except ValueError:
            return
        private = code < 0x100 and font.lower() in FONTS
        self.story.add(readable(chr(code + 0xF000 if private else code), font))

    def _properties(self, name: str, _: Attributes) -> None:
        self.story.open_container(name, Section())

    def _start_cell(self, attributes: Attributes) -> None:
        row = self.story.tables.row
        if row is not None and row.deleted:
            self._skipped = 1
        else:
            self.story.start_cell(attributes)

    def _field(self, attributes: Attributes) -> None:
        match value(attributes, "fldCharType"):
            case "begin":
                self.story.fields.begin()
            case "separate":
                self._separate_field()
            case "end":
                self._end_field()

    def _simple_field(self, attributes: Attributes) -> None:
        self.story.fields.begin()
        self.story.fields.instruct(value(attributes, "instr"))
        self._separate_field()

    def _separate_field(self) -> None:
        if self.story.fields.counts:
            self.story.paragraph.is_caption = True
        self.story.fields.separate()

    def _end_field(self) -> None:
        """Write what a field shows of which the file holds no result."""
        fields = self.story.fields
        kind, _, _ = (instruction := fields.end().strip()).partition(" ")
        shown = ""
        if kind.upper() == "EQ":
            shown = equation_text(instruction[2:])
        elif kind.upper() == "LISTNUM":
            shown = self.story.context.list_fields.next(instruction)
        if fields.instructing:
            fields.instruct(shown)
        else:
            self.story.add(shown)

    def _form(self, _: Attributes) -> None:
        self.story.open_container("ffData", FormField())

    def _start_ruby(self, _: Attributes) -> None:
        self._before_ruby.append(self.story.paragraph.parts)
        self.story.paragraph.parts = []

    def _end_ruby(self) -> None:
        if self._before_ruby:
            self._ruby = self.story.paragraph.text
            self.story.paragraph.parts = self._before_ruby.pop()

    def _add_ruby(self) -> None:
        """Write a reading after its word, in parentheses."""
        self.story.add(f"({self._ruby})" if self._ruby else "")
        self._ruby = ""

    def _start_equation(self, _: Attributes) -> None:
        self._equation, self._equations = EquationReader(), 1

    def _end_in_equation(self, name: str) -> None:
        self._equations -= name == "oMath"
        if self._equation is None or self._equations:
            if self._equation is not None:
                self._equation.end(name)
            return
        latex, self._equation = self._equation.latex(), None
        self.story.add(f"${latex}$" if latex else "")

    def _start_alternatives(self, _: Attributes) -> None:
        self._alternatives.append(False)

    def _start_alternative(self, _: Attributes) -> None:
        """Read the first of several that show the same to different programs."""
        if self._alternatives and self._alternatives[-1]:
            self._skipped = 1
        elif self._alternatives:
            self._alternatives[-1] = True

    def _end_alternatives(self) -> None:
        if self._alternatives:
            self._alternatives.pop()

"""Reads the XML of a section in HWPX, and in HWPML once its names are translated."""

from __future__ import annotations

from collections.abc import Callable

from ingest.loading.parsers.flow import Block
from ingest.loading.parsers.hancom.attributes import number
from ingest.loading.parsers.hancom.body import Body
from ingest.loading.parsers.hancom.equations import equation
from ingest.loading.parsers.hancom.grids import Cell
from ingest.loading.parsers.hancom.numbers import circled, named
from ingest.loading.parsers.hancom.section_pictures import SectionPictures
from ingest.loading.parsers.hancom.stories import BOX, CAPTION, CELL, ENDNOTE, FOOTER, FOOTNOTE, HEADER, HIDDEN, MEMO
from ingest.loading.parsers.ooxml import Attributes

INSIDE_TEXT = {"lineBreak": "\n", "tab": "\t", "nbSpace": " ", "fwSpace": " ", "hyphen": "-"}
# Elements whose list of paragraphs is a story of its own kind.
STORIES = {"footNote": FOOTNOTE, "endNote": ENDNOTE, "header": HEADER, "footer": FOOTER, "hiddenComment": HIDDEN,
           "drawText": BOX, "caption": CAPTION, "masterPage": FOOTER}  # fmt: skip
CAPTURED = ("script", "mainText", "subText", "text", "shapeComment")
BUTTONS = {"checkBtn": ("☐ ", "☑ "), "radioBtn": ("○ ", "◉ "), "btn": ("", "")}
CHECKED = ("CHECKED", "Checked", "1", "true")
OBJECTS = ("ole", "video")


class SectionReader:
    """`chart` reads a part of the package that holds a chart; `picture` names the file of a picture."""

    def __init__(
        self,
        body: Body,
        chart: Callable[[str], list[Block]] = lambda _: [],
        picture: Callable[[str], str] = lambda _: "",
    ) -> None:
        self._body = body
        self._read_chart, self._pictures = chart, SectionPictures(body, picture)
        self._in_text = 0
        self._raised = False
        self._captured: list[str] | None = None
        self._words: dict[str, str] = {}
        self._next_story: tuple[str, str] | None = None
        self._story_kinds: list[str] = []
        self._frames: list[str] = []
        self._cells: list[Cell] = []
        self._sides: list[str] = []
        self._automatic: tuple[str, int] | None = None
        self._format: Attributes = {}
        self._chosen = ""
        self.starts = self._start_handlers()
        self.ends = self._end_handlers()

    def _start_handlers(self) -> dict[str, Callable[[Attributes], None]]:
        handlers: dict[str, Callable[[Attributes], None]] = {
            "p": lambda attributes: self._body.open_paragraph(number(attributes, "paraPrIDRef")),
            "run": self._open_run,
            "t": self._open_text,
            "tbl": self._open_table,
            "tc": self._open_cell,
            "cellAddr": self._place_cell,
            "cellSpan": self._span_cell,
            "subList": self._open_list,
            "fieldBegin": self._open_field,
            "deleteBegin": lambda attributes: self._body.begin_deletion(attributes.get("Id", "")),
            "deleteEnd": self._end_deletion,
            "secPr": lambda attributes: self._body.set_outline(number(attributes, "outlineShapeIDRef")),
            "autoNum": self._open_number,
            "autoNumFormat": self._set_format,
            "newNum": lambda attributes: self._body.restart(
                named(attributes.get("numType", "")), number(attributes, "num")
            ),
            "compose": self._compose,
            "textart": lambda attributes: self._body.place_drawn(attributes.get("text", "")),
            "pic": self._pictures.open,
            "img": self._pictures.name,
            "sz": self._pictures.measure,
            "chart": self._chart,
            "comboBox": self._choose,
            "listBox": self._choose,
            "listItem": self._show_choice,
            # What a program shows that does not know the newer element before it.
            "default": lambda _: self._body.begin_deletion("default"),
        }
        handlers |= {name: self._inside(character) for name, character in INSIDE_TEXT.items()}
        handlers |= {name: self._expect(kind) for name, kind in STORIES.items()}
        handlers |= {name: self._button(*marks) for name, marks in BUTTONS.items()}
        handlers |= {name: lambda _: self._body.add_object() for name in OBJECTS}
        return handlers | dict.fromkeys(CAPTURED, self._capture)

    def _end_handlers(self) -> dict[str, Callable[[], None]]:
        handlers: dict[str, Callable[[], None]] = {
            "p": self._body.close_paragraph,
            "t": self._close_text,
            "tbl": self._close_table,
            "tc": self._close_cell,
            "subList": self._close_list,
            "fieldBegin": self._forget_story,
            "autoNum": self._close_number,
            "dutmal": self._annotate,
            "pic": self._pictures.close,
            "shapeComment": lambda: self._pictures.describe(self._released()),
            "script": lambda: self._body.text(equation(self._released())),
            "text": lambda: self._body.word(self._released()),
            "mainText": lambda: self._keep("mainText"),
            "subText": lambda: self._keep("subText"),
            "default": lambda: self._body.end_deletion("default"),
            "comboBox": lambda: self._body.word(self._chosen),
            "listBox": lambda: self._body.word(self._chosen),
        }
        return handlers | dict.fromkeys(STORIES, self._forget_story)

    def text(self, text: str) -> None:
        if self._in_text:
            self._body.text(text, raised=self._raised)
        elif self._captured is not None:
            self._captured.append(text)

    def _open_run(self, attributes: Attributes) -> None:
        self._raised = self._body.raises(number(attributes, "charPrIDRef"))

    def _open_text(self, _: Attributes) -> None:
        self._in_text += 1

    def _close_text(self) -> None:
        self._in_text -= 1

    def _inside(self, character: str) -> Callable[[Attributes], None]:
        return lambda _: self._body.text(character) if self._in_text else None

    def _capture(self, _: Attributes) -> None:
        self._captured = []

    def _released(self) -> str:
        captured, self._captured = "".join(self._captured or ()), None
        return captured

    def _chart(self, attributes: Attributes) -> None:
        if blocks := self._read_chart(attributes.get("chartIDRef", "")):
            self._body.place(blocks)
        else:
            self._body.add_object()

    def _keep(self, name: str) -> None:
        self._words[name] = self._released()

    def _end_deletion(self, attributes: Attributes) -> None:
        ended = attributes.get("paraend", "0") in CHECKED
        self._body.end_deletion(attributes.get("Id", ""), with_paragraph=ended)

    def _annotate(self) -> None:
        main, above = self._words.pop("mainText", ""), self._words.pop("subText", "")
        self._body.text(f"{main}({above})" if above else main)

    def _compose(self, attributes: Attributes) -> None:
        text = attributes.get("composeText", "")
        self._body.text(circled(text) if "CIRCLE" in attributes.get("circleType", "").upper() else text)

    def _button(self, off: str, on: str) -> Callable[[Attributes], None]:
        return lambda attributes: self._body.word(
            (on if attributes.get("value", "") in CHECKED else off) + attributes.get("caption", "")
        )

    def _choose(self, attributes: Attributes) -> None:
        self._chosen = attributes.get("selectedValue", "")

    def _show_choice(self, attributes: Attributes) -> None:
        if attributes.get("value") == self._chosen:
            self._chosen = attributes.get("displayText") or self._chosen

    def _open_number(self, attributes: Attributes) -> None:
        self._automatic, self._format = (named(attributes.get("numType", "")), number(attributes, "num")), {}

    def _set_format(self, attributes: Attributes) -> None:
        self._format = attributes

    def _close_number(self) -> None:
        if self._automatic is not None:
            shown, around = named(self._format.get("type", "")), self._format
            self._body.number(*self._automatic, shown, around.get("prefixChar", ""), around.get("suffixChar", ""))
            self._automatic = None

    def _open_table(self, _: Attributes) -> None:
        self._frames.append("tbl")
        self._body.open_table()

    def _close_table(self) -> None:
        self._frames.pop()
        self._body.close_table()

    def _open_cell(self, attributes: Attributes) -> None:
        self._frames.append("tc")
        self._cells.append(Cell(0, 0, header=attributes.get("header", "0") in CHECKED))
        self._next_story = (CELL, "")

    def _place_cell(self, attributes: Attributes) -> None:
        if self._cells:
            self._cells[-1].row = number(attributes, "rowAddr")
            self._cells[-1].column = number(attributes, "colAddr")

    def _span_cell(self, attributes: Attributes) -> None:
        if self._cells:
            self._cells[-1].rows = number(attributes, "rowSpan")
            self._cells[-1].columns = number(attributes, "colSpan")

    def _close_cell(self) -> None:
        self._frames.pop()
        self._forget_story()
        self._body.add_cell(self._cells.pop())

    def _expect(self, kind: str) -> Callable[[Attributes], None]:
        def expect(attributes: Attributes) -> None:
            number_or_side = attributes.get("side" if kind == CAPTION else "number", "")
            self._next_story = (kind, "" if number_or_side == "0" else number_or_side)

        return expect

    def _open_field(self, attributes: Attributes) -> None:
        if attributes.get("type", "").upper() == "MEMO":
            self._next_story = (MEMO, "")

    def _forget_story(self) -> None:
        self._next_story = None

    def _open_list(self, _: Attributes) -> None:
        kind, what = self._next_story or (BOX, "")
        self._next_story = None
        self._story_kinds.append(kind)
        if kind == CAPTION:
            self._sides.append(what)
        self._body.open_story(kind, "" if kind == CAPTION else what)

    def _close_list(self) -> None:
        kind, blocks = self._story_kinds.pop(), self._body.close_story()
        if kind == CELL:
            self._cells[-1].blocks += blocks
        elif kind == CAPTION:
            self._body.add_caption(
                blocks, above=self._sides.pop().upper() == "TOP", to_table=self._frames[-1:] == ["tbl"]
            )

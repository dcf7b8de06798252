"""Reads the records of a section of HWP 5, whose levels say what lies in what."""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from ingest.loading.parsed import Options
from ingest.loading.parsers.hancom.body import Body
from ingest.loading.parsers.hancom.equations import equation
from ingest.loading.parsers.hancom.grids import Cell
from ingest.loading.parsers.hancom.hwp5_controls import memo_index, note_number, write_control
from ingest.loading.parsers.hancom.hwp5_head import counted_text
from ingest.loading.parsers.hancom.hwp5_layout import breaks_page, height_of, lines, read_page, size_of
from ingest.loading.parsers.hancom.hwp5_streams import Record, records
from ingest.loading.parsers.hancom.hwp5_text import Text, form_text
from ingest.loading.parsers.hancom.layout import Line
from ingest.loading.parsers.hancom.stories import BOX, CAPTION, CELL, ENDNOTE, FOOTER, FOOTNOTE, HEADER, HIDDEN
from ingest.loading.parsers.hancom.styles import Styles
from ingest.loading.picture_marks import Size

PARAGRAPH, PARAGRAPH_TEXT, CHARACTERS, LINES, RANGES, CONTROL, LIST = 66, 67, 68, 69, 70, 71, 72
PAGE, SHAPE, TABLE = 73, 76, 77
OLE, PICTURE, FORMULA, DRAWN_TEXT, FORM, MEMO_LIST, VIDEO = 84, 85, 88, 90, 91, 93, 98
WANTED = frozenset(
    (PARAGRAPH, PARAGRAPH_TEXT, CHARACTERS, LINES, RANGES, CONTROL, LIST, PAGE, SHAPE, TABLE, OLE, PICTURE, FORMULA,
     DRAWN_TEXT, FORM, MEMO_LIST, VIDEO)
)  # fmt: skip
STORIES = {b"fn  ": FOOTNOTE, b"en  ": ENDNOTE, b"head": HEADER, b"foot": FOOTER, b"tcmt": HIDDEN, b"secd": FOOTER}
FORMULA_AT, DRAWN_TEXT_AT, CAPTION_AT, DESCRIPTION_AT = 4, 32, 8, 44
ABOVE, TITLE_CELL = b"\2", 1 << 18
DELETED = "control"
# In the record of a picture: the number of its file.
DATA_AT = 71


@dataclass(slots=True)
class Open:
    """What is not yet closed. A list's depth is odd: the paragraphs on its own level lie in it."""

    depth: int
    close: Callable[[], object]
    control: bytes = b""
    about: str = ""
    """A note's number, or an object's description."""
    size: Size | None = None
    begun: bool = False
    """Whether the content follows; before it there may be a caption."""


class RecordReader:
    def __init__(self, body: Body, styles: Styles, memos: dict[int, str]) -> None:
        self._body = body
        self._styles = styles
        self._memos = memos
        self._opened: list[Open] = []
        self._paragraphs: list[Text | None] = []
        self._lines: list[Line] = []
        self._handlers: dict[int, Callable[[int, bytes], None]] = {
            PARAGRAPH: self._open_paragraph,
            PARAGRAPH_TEXT: self._take_text,
            CHARACTERS: self._take_characters,
            LINES: self._take_lines,
            RANGES: self._take_ranges,
            PAGE: lambda _, body: read_page(self._body.layout, body),
            CONTROL: self._open_control,
            LIST: self._open_list,
            SHAPE: lambda *_: self._begin(),
            TABLE: lambda *_: self._begin(),
            OLE: lambda *_: self._body.add_object(),
            VIDEO: lambda *_: self._body.add_object(),
            PICTURE: lambda _, body: self._add_picture(body),
            FORMULA: lambda _, body: self._body.text(equation(counted_text(body, FORMULA_AT)[0])),
            DRAWN_TEXT: lambda _, body: self._body.place_drawn(counted_text(body, DRAWN_TEXT_AT)[0]),
            FORM: lambda _, body: self._body.word(form_text(body)),
        }

    def read(self, section: Iterable[Record]) -> None:
        for tag, level, body in section:
            if tag == MEMO_LIST:
                break
            # On its own level a list ends with the next list, not with a paragraph.
            depth = 2 * level - (tag in (LIST, SHAPE, TABLE))
            while self._opened and self._opened[-1].depth >= depth:
                self._opened.pop().close()
            self._handlers[tag](level, body)
        while self._opened:
            self._opened.pop().close()
        # Memos whose field is lost.
        for memo in self._memos.values():
            self._body.add_memo(memo)

    def _open_paragraph(self, level: int, body: bytes) -> None:
        (shape,) = struct.unpack_from("<H", body, 8)
        self._body.open_paragraph(shape)
        if level == 0:
            self._lines = []
            if breaks_page(body):
                self._body.layout.break_page()
        self._paragraphs.append(None)
        self._opened.append(Open(2 * level, self._close_paragraph))

    def _close_paragraph(self) -> None:
        self._write_to_control()
        text = self._paragraphs.pop()
        if text is not None and text.ends_deleted:
            self._body.end_deletion(DELETED, with_paragraph=True)
        self._body.lay_out(self._lines)
        self._body.close_paragraph()

    def _take_lines(self, level: int, body: bytes) -> None:
        if level == 1:
            self._lines = lines(body)

    def _take_text(self, _: int, body: bytes) -> None:
        if self._paragraphs:
            self._paragraphs[-1] = Text(body)

    def _take_characters(self, _: int, body: bytes) -> None:
        text = self._paragraphs[-1] if self._paragraphs else None
        if text is not None and self._styles.raised:
            text.raise_(body, self._styles.raised)

    def _take_ranges(self, _: int, body: bytes) -> None:
        if self._paragraphs and (text := self._paragraphs[-1]) is not None:
            text.mark(body)

    def _write_to_control(self) -> bool:
        """Write the text up to the next control, and return whether that was deleted."""
        text = self._paragraphs[-1] if self._paragraphs else None
        for piece, deleted, raised in text.rest() if text else ():
            if piece is None:
                return deleted
            if not deleted:
                self._body.text(piece, raised=raised)
        return False

    def _open_control(self, level: int, content: bytes) -> None:
        deleted, control = self._write_to_control(), content[3::-1]
        if deleted:
            self._body.begin_deletion(DELETED)
        if control == b"tbl ":
            if layout := self._body.text_layout:
                layout.hold_table(height_of(content))
            self._body.open_table()
        elif control == b"%%me":
            self._write_memo(memo_index(content))
        else:
            write_control(self._body, control, content)
        about, size = note_number(content) if control in (b"fn  ", b"en  ") else "", None
        if control == b"gso ":
            size = size_of(content)
        if control == b"gso " and len(content) > DESCRIPTION_AT + 2:
            about = counted_text(content, DESCRIPTION_AT)[0]

        def close() -> None:
            if control == b"tbl ":
                self._body.close_table()
            if deleted:
                self._body.end_deletion(DELETED)

        self._opened.append(Open(2 * level, close, control, about, size))

    def _write_memo(self, index: int) -> None:
        if memo := self._memos.pop(index if index in self._memos else next(iter(self._memos), 0), ""):
            self._body.add_memo(memo)

    def _control(self) -> Open | None:
        return next((opened for opened in reversed(self._opened) if opened.control), None)

    def _begin(self) -> None:
        if (control := self._control()) is not None:
            control.begun = True

    def _add_picture(self, body: bytes) -> None:
        control, number = self._control(), int.from_bytes(body[DATA_AT : DATA_AT + 2], "little")
        name = self._styles.pictures[number - 1] if 0 < number <= len(self._styles.pictures) else ""
        self._body.add_picture(control.about if control else "", name, control.size if control else None)

    def _open_list(self, level: int, body: bytes) -> None:
        around = self._opened[-1] if self._opened else None
        depth = 2 * level - 1
        if around is None or not around.control:
            # The last section's master pages follow its last paragraph.
            self._open_story(depth, FOOTER)
        elif around.control in STORIES:
            self._open_story(depth, STORIES[around.control], around.about)
        elif not around.begun:
            self._open_caption(depth, above=body[CAPTION_AT : CAPTION_AT + 1] == ABOVE, around=around)
        elif around.control == b"tbl ":
            column, row, columns, rows = struct.unpack_from("<4H", body, 8)
            header = bool(int.from_bytes(body[4:8], "little") & TITLE_CELL)
            self._open_cell(depth, Cell(row, column, rows, columns, header))
        else:
            self._open_story(depth, BOX)

    def _open_story(self, depth: int, kind: str, number: str = "") -> None:
        self._body.open_story(kind, number)
        self._opened.append(Open(depth, self._body.close_story))

    def _open_cell(self, depth: int, cell: Cell) -> None:
        def close() -> None:
            cell.blocks += self._body.close_story()
            self._body.add_cell(cell)

        self._body.open_story(CELL)
        self._opened.append(Open(depth, close))

    def _open_caption(self, depth: int, *, above: bool, around: Open) -> None:
        def close() -> None:
            self._body.add_caption(self._body.close_story(), above=above, to_table=around.control == b"tbl ")

        self._body.open_story(CAPTION)
        self._opened.append(Open(depth, close))


def read_memos(styles: Styles, content: bytes) -> dict[int, str]:
    """Return a section's memos: they come last, far from the fields that refer to them."""
    groups: dict[int, list[Record]] = {}
    group: list[Record] | None = None
    for record in records(content, WANTED):
        if record[0] == MEMO_LIST:
            group = groups.setdefault(int.from_bytes(record[2][:4], "little"), [])
        elif group is not None:
            group.append(record)
    return {index: _memo(styles, group) for index, group in groups.items()}


def _memo(styles: Styles, group: list[Record]) -> str:
    body = Body(styles, Options())
    RecordReader(body, styles, {}).read(group[1:] if group[:1] and group[0][0] == LIST else group)
    return " ".join(body.parsed(None).text.split())

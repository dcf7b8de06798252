"""Reads HWP 3, Hancom's documents of before 2000, after the format that Hancom publishes.

A paragraph's text is codes of two bytes; those below 32 begin something else, which may hold lists of paragraphs.
"""

from __future__ import annotations

import struct
import zlib
from bisect import bisect_left
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ingest.loading.parsed import Options, Parsed
from ingest.loading.parsers.hancom.body import Body
from ingest.loading.parsers.hancom.equations import equation
from ingest.loading.parsers.hancom.grids import Cell
from ingest.loading.parsers.hancom.hwp3_text import text
from ingest.loading.parsers.hancom.hwp5_streams import MAX_BYTES
from ingest.loading.parsers.hancom.stories import BOX, CAPTION, CELL, ENDNOTE, FOOTER, FOOTNOTE, HEADER, HIDDEN
from ingest.loading.parsers.hancom.styles import Styles
from ingest.loading.refusals import ENCRYPTED, UNPACKS_TO_TOO_MUCH

SIGNATURE, INFO, SUMMARY = 30, 128, 1008
PASSWORD_AT, COMPRESSED_AT, BLOCK_AT, TITLE = SIGNATURE + 96, SIGNATURE + 124, SIGNATURE + 126, 56
LANGUAGES, FONT, STYLE = 7, 40, 238
SHAPE, CHARACTER, LINE = 187, 31, 14
END, DATE, NUMBER, NEW_NUMBER, COMPOSED = 13, 8, 18, 19, 23
# Codes that something of a fixed size follows, and what they show.
FIXED = {7: (82, ""), 9: (6, "\t"), 20: (6, ""), 21: (6, ""), 22: (22, ""), 24: (4, "-"), 25: (4, ""), 26: (244, ""),
         28: (62, ""), 30: (2, " "), 31: (2, " ")}  # fmt: skip
NUMBERS = ("page", FOOTNOTE, ENDNOTE, "picture", "table", "equation")
GRID, FORMULA = 0, 2
DRAWING, OLE = 3, 1
DATE_PARTS = {"1": 0, "2": 1, "3": 3, "$": 4, "4": 4, "5": 5, "%": 5}


def read(path: Path, options: Options) -> Parsed:
    content = path.read_bytes()
    (password,) = struct.unpack_from("<H", content, PASSWORD_AT)
    if password:
        raise ENCRYPTED
    (block,) = struct.unpack_from("<H", content, BLOCK_AT)
    at = SIGNATURE + INFO + SUMMARY + block
    title = text(struct.unpack_from(f"<{TITLE}H", content, SIGNATURE + INFO))
    rest = content[at:]
    if content[COMPRESSED_AT]:
        inflater = zlib.decompressobj(wbits=-15)
        rest = inflater.decompress(rest, MAX_BYTES)
        if inflater.unconsumed_tail:
            raise UNPACKS_TO_TOO_MUCH
    body = Body(Styles(), options)
    Reader(rest, body).read()
    return body.parsed(title)


class Reader:
    def __init__(self, content: bytes, body: Body) -> None:
        self._content = content
        self._body = body
        self._at = 0

    def read(self) -> None:
        for size in [FONT] * LANGUAGES + [STYLE]:
            (count,) = self._take("<H")
            self._skip(size * count)
        self.paragraphs()

    def _take(self, form: str) -> tuple[Any, ...]:
        values = struct.unpack_from(form, self._content, self._at)
        self._at += struct.calcsize(form)
        return values

    def _skip(self, size: int) -> None:
        self._at += size

    def paragraphs(self) -> None:
        """Read a list of paragraphs: an empty one ends it."""
        while True:
            same_shape, count, lines, many_shapes = self._take(f"<BHHB6x{CHARACTER}x")
            if not count:
                return
            self._skip(LINE * lines + (0 if same_shape else SHAPE))
            for _ in range(count if many_shapes else 0):
                (as_before,) = self._take("<B")
                self._skip(0 if as_before == 1 else CHARACTER)
            self._body.open_paragraph(0)
            self._characters()
            self._body.close_paragraph()

    def _characters(self) -> None:
        codes: list[int] = []
        while (code := self._take("<H")[0]) != END:
            if code > 31:
                codes.append(code)
                continue
            self._body.text(text(codes))
            codes.clear()
            self._special(code)
        self._body.text(text(codes))

    def _special(self, code: int) -> None:
        if code in FIXED:
            size, shown = FIXED[code]
            self._skip(size)
            self._body.text(shown)
        elif code in (NUMBER, NEW_NUMBER):
            self._number(code)
        elif code == COMPOSED:
            *composed, _ = self._take("<4H")
            self._body.text(text(composed))
        elif code == DATE:
            self._date()
        else:
            size, _ = self._take("<IH")
            if code in BLOCKS:
                BLOCKS[code](self)
            else:
                self._skip(size)

    def _hidden(self) -> None:
        self._skip(8)
        self._list(HIDDEN)

    def _running(self) -> None:
        (is_footer,) = self._take("<8xBx")
        self._list(FOOTER if is_footer else HEADER)

    def _note(self) -> None:
        number, is_endnote = self._take("<8xHHxx")
        self._list(ENDNOTE if is_endnote else FOOTNOTE, str(number + 1))

    def _rule(self) -> None:
        self._skip(84)

    def _number(self, code: int) -> None:
        kind, number, _ = self._take("<3H")
        name = NUMBERS[min(kind, len(NUMBERS) - 1)]
        if code == NUMBER:
            self._body.number(name, number, "digit")
        else:
            self._body.restart(name, number)

    def _date(self) -> None:
        form, parts, _ = text(self._take("<40H")), self._take("<6H"), self._take("<H")
        self._body.text("".join(str(parts[DATE_PARTS[each]]) if each in DATE_PARTS else each for each in form))

    def _list(self, kind: str, number: str = "") -> None:
        self._body.open_story(kind, number)
        self.paragraphs()
        self._body.close_story()

    def _box(self) -> None:
        kind, count = self._take("<78xHHxx")
        places = [self._take("<4x4H15x") for _ in range(count)]
        if kind == GRID:
            self._body.open_table()
            for cell in _cells(places):
                self._body.open_story(CELL)
                self.paragraphs()
                cell.blocks += self._body.close_story()
                self._body.add_cell(cell)
        else:
            for _ in range(count):
                self._formula() if kind == FORMULA else self._list(BOX)
        self._caption(to_table=kind == GRID)
        if kind == GRID:
            self._body.close_table()

    def _formula(self) -> None:
        around, self._body = self._body, Body(Styles(), Options())
        self.paragraphs()
        around.text(equation(self._body.parsed(None).text))
        self._body = around

    def _picture(self) -> None:
        size, kind = self._take("<I70xB273x")
        self._skip(size)
        if kind in (DRAWING, OLE):
            self._body.add_object()
        else:
            self._body.add_picture()
        self._caption(to_table=False)

    def _caption(self, *, to_table: bool) -> None:
        self._body.open_story(CAPTION)
        self.paragraphs()
        self._body.add_caption(self._body.close_story(), above=False, to_table=to_table)


def _cells(places: list[tuple[int, ...]]) -> list[Cell]:
    """Return the cells by row and column: the file says where each begins and how large it is."""
    lefts, tops = sorted({place[0] for place in places}), sorted({place[1] for place in places})
    return [
        Cell(
            bisect_left(tops, y),
            bisect_left(lefts, x),
            bisect_left(tops, y + height) - bisect_left(tops, y),
            bisect_left(lefts, x + width) - bisect_left(lefts, x),
        )
        for x, y, width, height in places
    ]


# The codes whose content may hold paragraphs.
BLOCKS: dict[int, Callable[[Reader], None]] = {
    10: Reader._box,
    11: Reader._picture,
    14: Reader._rule,
    15: Reader._hidden,
    16: Reader._running,
    17: Reader._note,
}

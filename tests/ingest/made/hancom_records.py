"""Writes the documents of tests as HWP 5."""

from __future__ import annotations

import struct

from tests.ingest.made.hancom import compound, deflated, record
from tests.ingest.made.hancom_documents import (
    Annotated,
    Aside,
    Auto,
    Box,
    Button,
    Composed,
    Deleted,
    Drawn,
    Equation,
    Field,
    Grid,
    Head,
    Item,
    Par,
    Raised,
    Restart,
    Spot,
)

KINDS = ("page", "footNote", "endNote", "picture", "table", "equation")
FORMATS = (
    "DIGIT", "CIRCLED_DIGIT", "ROMAN_CAPITAL", "ROMAN_SMALL", "LATIN_CAPITAL", "LATIN_SMALL", "CIRCLED_LATIN_CAPITAL",
    "CIRCLED_LATIN_SMALL", "HANGUL_SYLLABLE", "CIRCLED_HANGUL_SYLLABLE", "HANGUL_JAMO", "CIRCLED_HANGUL_JAMO",
    "HANGUL_PHONETIC", "IDEOGRAPH", "CIRCLED_IDEOGRAPH", "DECAGON_CIRCLE", "DECAGON_CIRCLE_HANJA",
)  # fmt: skip
HEADS = ("none", "outline", "number", "bullet")
ASIDES = {"footNote": b"fn  ", "endNote": b"en  ", "header": b"head", "footer": b"foot", "hiddenComment": b"tcmt"}
CODES = {b"fn  ": 17, b"en  ": 17, b"head": 16, b"foot": 16, b"tcmt": 15, b"atno": 18, b"nwno": 21, b"tcps": 23,
         b"tdut": 23, b"%%me": 3}  # fmt: skip
BUTTONS = {"btn": b"tbp+", "checkBtn": b"tbc+", "radioBtn": b"tbr+"}


def hwp_document(paragraphs: list[Par], head: Head | None = None) -> bytes:
    return hwp_of(Section(head or Head()).written(paragraphs), head or Head())


def hwp_of(section: bytes, head: Head | None = None, flags: int = 1) -> bytes:
    header = b"HWP Document File".ljust(32, b"\0") + struct.pack("<II", 0x05010100, flags)
    return compound(
        {"FileHeader": header, "DocInfo": deflated(_head(head or Head())), "BodyText/Section0": deflated(section)}
    )


def counted(text: str) -> bytes:
    units = text.encode("utf-16-le")
    return struct.pack("<H", len(units) // 2) + units


def _head(head: Head) -> bytes:
    shapes = [head.shapes.get(i, ("none", 0, 0)) for i in range(max(head.shapes, default=0) + 1)]
    body = record(21, 0, bytes(72)) + record(21, 0, bytes(46) + struct.pack("<I", 1 << 15) + bytes(22))
    body += b"".join(
        record(
            25,
            0,
            struct.pack(
                "<I24xHH20x", HEADS.index(kind) << 23 | level << 25 | (at in head.begin_pages) << 19, 0, reference
            ),
        )
        for at, (kind, reference, level) in enumerate(shapes)
    )
    for levels in head.numberings:
        all_levels = [*levels, *[("", "DIGIT", 1)] * (7 - len(levels))][:7]
        patterns = b"".join(
            struct.pack("<IHHI", FORMATS.index(shown) << 5, 0, 0, 0) + counted(pattern)
            for pattern, shown, _ in all_levels
        )
        starts = struct.pack("<H7I", 0, *(start for _, _, start in all_levels))
        body += record(23, 0, patterns + starts)
    return body + b"".join(record(24, 0, bytes(12) + char.encode("utf-16-le")) for char in head.bullets)


class Section:
    def __init__(self, head: Head) -> None:
        self._head = head
        self._memos: list[list[Par]] = []

    def written(self, paragraphs: list[Par]) -> bytes:
        definition = b"dces" + bytes(14) + struct.pack("<H", self._head.outline) + bytes(20)
        first = record(66, 0, bytes(24)) + record(67, 1, _control(2, b"secd") + b"\r\0") + record(71, 1, definition)
        body = first + b"".join(self.paragraph(each, 0) for each in paragraphs)
        for i, memo in enumerate(self._memos):
            body += record(93, 1, struct.pack("<I", i)) + record(72, 1, bytes(16))
            body += b"".join(self.paragraph(each, 1) for each in memo)
        return body

    def paragraph(self, paragraph: Par, level: int) -> bytes:
        units, inner, ranges, characters = b"", b"", b"", struct.pack("<II", 0, 0)
        for item in paragraph.items:
            match item:
                case str():
                    units += item.replace("\t", "\t" + 6 * "\1" + "\t").encode("utf-16-le")
                case Raised(text):
                    start = len(units) // 2
                    units += text.encode("utf-16-le")
                    characters += struct.pack("<4I", start, 1, len(units) // 2, 0)
                case Deleted(text, with_end):
                    start = len(units) // 2
                    units += text.encode("utf-16-le")
                    ranges += struct.pack("<3I", start, len(units) // 2 + with_end, 17 << 24)
                case _:
                    control, records = self.item(item, level + 1)
                    units += control
                    inner += records
        shape = struct.pack("<IIHBBHHHI", len(units) // 2 + 1, 0, paragraph.shape, 0, 0, 0, 0, 0, 0)
        own = record(66, level, shape) + record(67, level + 1, units + b"\r\0")
        own += record(68, level + 1, characters)
        return own + (record(70, level + 1, ranges) if ranges else b"") + inner

    def list(self, paragraphs: list[Par], level: int, more: bytes = b"") -> bytes:
        header = record(72, level, struct.pack("<II", len(paragraphs), 0) + more)
        return header + b"".join(self.paragraph(each, level) for each in paragraphs)

    def item(self, item: Item, level: int) -> tuple[bytes, bytes]:
        match item:
            case Aside("memo", paragraphs):
                self._memos.append(paragraphs)
                index = struct.pack("<II", 0, len(self._memos) - 1)
                return _told(level, b"%%me", bytes(5) + counted("MEMO") + index)
            case Aside("drawText", paragraphs):
                box = record(76, level + 1, b"cer$cer$") + self.list(paragraphs, level + 2, bytes(12))
                return _told(level, b"gso ", bytes(40), box)
            case Aside(kind, paragraphs, number):
                control = struct.pack("<IHHII", number, 0, 0, 0, 0)
                return _told(level, ASIDES[kind], control, self.list(paragraphs, level + 1))
            case Composed(text, in_circle):
                return _told(level, b"tcps", counted(text) + bytes([in_circle, 0, 0, 0]))
            case Annotated(main, above):
                return _told(level, b"tdut", counted(main) + counted(above) + bytes(20))
            case Auto(kind, number, shown):
                return _told(
                    level, b"atno", struct.pack("<I4H", _kind(kind) | FORMATS.index(shown) << 4, number, 0, 0, 0)
                )
            case Restart(kind, number):
                return _told(level, b"nwno", struct.pack("<IH", _kind(kind), number))
            case Equation(script):
                return _told(level, b"eqed", bytes(40), record(88, level + 1, bytes(4) + counted(script)))
            case Drawn(text):
                drawn = record(76, level + 1, b"") + record(90, level + 2, bytes(32) + counted(text))
                return _told(level, b"gso ", bytes(40), drawn)
            case Button(kind, caption, on):
                return _form(level, BUTTONS[kind], f"Caption:wstring:{len(caption)}:{caption} Value:int:{int(on)} ")
            case Field(kind, text):
                name = b"tde+" if kind == "edit" else b"boc+"
                return _form(level, name, f"Text:wstring:{len(text)}:{text} ")
            case Spot(kind, description):
                shape = record(76, level + 1, b"") + record(85 if kind == "pic" else 84, level + 2, bytes(24))
                return _told(level, b"gso ", bytes(40) + counted(description), shape)
            case Grid(cells, caption, above):
                side = self.list(caption, level + 1, struct.pack("<I", 2 if above else 3)) if caption else b""
                rows = b"".join(self.cell(cell, level + 1) for cell in cells)
                return _told(level, b"tbl ", bytes(40), side + record(77, level + 1, bytes(8)) + rows)
        raise TypeError(item)

    def cell(self, cell: Box, level: int) -> bytes:
        place = struct.pack("<4H", cell.column, cell.row, cell.columns, cell.rows)
        header = record(72, level, struct.pack("<II", len(cell.paragraphs), cell.header << 18) + place + bytes(18))
        return header + b"".join(self.paragraph(each, level) for each in cell.paragraphs)


def _kind(kind: str) -> int:
    return KINDS.index(kind)


def _control(code: int, name: bytes) -> bytes:
    return struct.pack("<H4s8xH", code, name[::-1], code)


def _told(level: int, name: bytes, content: bytes, inner: bytes = b"") -> tuple[bytes, bytes]:
    """Return the control in the text, and the records that tell of it."""
    return _control(CODES.get(name, 11), name), record(71, level, name[::-1] + content) + inner


def _form(level: int, kind: bytes, own: str) -> tuple[bytes, bytes]:
    common = "Name:wstring:8:CheckBox ForeColor:int:0 GroupName:wstring:0: "
    properties = f"CommonSet:set:{len(common)}:{common}ButtonSet:set:{len(own)}:{own}"
    units = counted(properties)
    body = kind * 2 + struct.pack("<I", len(properties)) + units
    return _told(level, b"form", bytes(42), record(91, level + 1, body))

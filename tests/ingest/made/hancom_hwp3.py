"""Writes the documents of tests as HWP 3."""

from __future__ import annotations

import struct

from tests.ingest.made.hancom import deflated
from tests.ingest.made.hancom_documents import Aside, Auto, Box, Composed, Equation, Grid, Item, Par, Spot

KINDS = ("page", "footNote", "endNote", "picture", "table", "equation")
CELL_WIDTH, CELL_HEIGHT = 100, 40


def hwp3_document(paragraphs: list[Par], *, compressed: bool = True, password: int = 0) -> bytes:
    info = bytearray(128)
    struct.pack_into("<H", info, 96, password)
    info[124], info[125] = compressed, 1
    fonts = b"".join(struct.pack("<H40x", 1) for _ in range(7))
    body = fonts + struct.pack("<H238x", 1) + written(paragraphs)
    summary = codes("수목원 규정").ljust(1008, b"\0")
    return b"HWP Document File V3.00 \x1a\1\2\3\4\5" + bytes(info) + summary + (deflated(body) if compressed else body)


def codes(text: str) -> bytes:
    return b"".join(struct.pack("<H", _code(each)) for each in text)


def _code(character: str) -> int:
    if character.isascii():
        return ord(character)
    if "가" <= character <= "힣":
        (code,) = struct.unpack(">H", character.encode("johab"))
        return int(code)
    row, place = character.encode("euc_kr")
    if row >= 0xCA:
        return 0x4000 + (row - 0xCA) * 94 + place - 0xA1
    return 0x3400 + (row - 0xA1) * 96 + place - 0xA0


def written(paragraphs: list[Par]) -> bytes:
    return b"".join(map(_paragraph, paragraphs)) + _head(0)


def _head(count: int, *, many: bool = False) -> bytes:
    return struct.pack("<BHHB6x31x", 0, count, 1 if count else 0, many)


def _paragraph(paragraph: Par) -> bytes:
    content = b"".join(codes(item) if isinstance(item, str) else _item(item) for item in paragraph.items) + b"\r\0"
    # Each character has its own shape, or that of the one before.
    shapes = b"\0" + bytes(31) + b"\1" * (len(content) // 2 - 1)
    return _head(len(content) // 2, many=True) + bytes(187) + bytes(14) + shapes + content


def _item(item: Item) -> bytes:
    match item:
        case Aside("hiddenComment", paragraphs):
            return _begun(15) + bytes(8) + written(paragraphs)
        case Aside("header" | "footer", paragraphs):
            return _begun(16) + struct.pack("<8xBB", item.kind == "footer", 0) + written(paragraphs)
        case Aside("footNote" | "endNote", paragraphs, number):
            return _begun(17) + struct.pack("<8xHHH", number - 1, item.kind == "endNote", 0) + written(paragraphs)
        case Aside(_, paragraphs):
            return _box(1, [Box(0, 0, paragraphs)], [])
        case Composed(text):
            return struct.pack("<H", 23) + codes(text).ljust(6, b"\0") + struct.pack("<H", 23)
        case Auto(kind, number):
            return struct.pack("<4H", 18, KINDS.index(kind), number, 18)
        case Equation(script):
            return _box(2, [Box(0, 0, [Par([script])])], [])
        case Spot():
            return _begun(11) + bytes(348) + written([])
        case Grid(cells, caption):
            return _box(0, cells, caption)
    raise TypeError(item)


def _begun(code: int) -> bytes:
    return struct.pack("<HIH", code, 0, code)


def _box(kind: int, cells: list[Box], caption: list[Par]) -> bytes:
    places = b"".join(
        struct.pack("<4x4H15x", cell.column * CELL_WIDTH, cell.row * CELL_HEIGHT, cell.columns * CELL_WIDTH,
                    cell.rows * CELL_HEIGHT)
        for cell in cells
    )  # fmt: skip
    lists = b"".join(written(cell.paragraphs) for cell in cells)
    return _begun(10) + struct.pack("<78xHHxx", kind, len(cells)) + places + lists + written(caption)

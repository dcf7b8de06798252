"""Writes what HWP 5's controls show in the text: numbers, composed and annotated characters."""

from __future__ import annotations

import struct

from ingest.loading.parsers.hancom.body import Body
from ingest.loading.parsers.hancom.hwp5_head import counted_text
from ingest.loading.parsers.hancom.numbers import circled, coded, written
from ingest.loading.parsers.hancom.stories import ENDNOTE, FOOTNOTE

NUMBERS = ("page", FOOTNOTE, ENDNOTE, "picture", "table", "equation")
OUTLINE_AT, FIELD_COMMAND_AT = 18, 9
CIRCLES = (1, 2)


def write_control(body: Body, control: bytes, content: bytes) -> None:
    match control:
        case b"secd":
            body.set_outline(int.from_bytes(content[OUTLINE_AT : OUTLINE_AT + 2], "little"))
        case b"cold":
            body.layout.set_columns(int.from_bytes(content[4:6], "little") >> 2 & 0xFF)
        case b"atno":
            bits, number, _, before, after = struct.unpack_from("<I4H", content, 4)
            body.number(_counted(bits), number, coded(bits >> 4 & 0xFF), _character(before), _character(after))
        case b"nwno":
            bits, number = struct.unpack_from("<IH", content, 4)
            body.restart(_counted(bits), number)
        case b"tcps":
            text, end = counted_text(content, 4)
            body.text(circled(text) if content[end : end + 1] in map(_byte, CIRCLES) else text)
        case b"tdut":
            main, end = counted_text(content, 4)
            above, _ = counted_text(content, end)
            body.text(f"{main}({above})" if above else main)


def note_number(content: bytes) -> str:
    """Return a note's number as its reference shows it."""
    number = int.from_bytes(content[4:8], "little")
    return written(number, coded(int.from_bytes(content[12:16], "little"))) if number else ""


def memo_index(content: bytes) -> int:
    """Return which memo a field refers to."""
    _, end = counted_text(content, FIELD_COMMAND_AT)
    return int.from_bytes(content[end + 4 : end + 8], "little")


def _counted(bits: int) -> str:
    return NUMBERS[min(bits & 0xF, len(NUMBERS) - 1)]


def _character(unit: int) -> str:
    return chr(unit) if unit else ""


def _byte(value: int) -> bytes:
    return bytes([value])

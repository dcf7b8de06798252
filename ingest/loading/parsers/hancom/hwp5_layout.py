"""Reads where HWP 5 says that pages and lines are."""

from __future__ import annotations

import struct

from ingest.loading.parsers.hancom.layout import Layout, Line
from ingest.loading.picture_marks import Size, in_points

BREAKS_AT, BREAKS_PAGE = 11, 0x4
WIDTH_AT, HEIGHT_AT = 16, 20
UNITS_PER_POINT = 100
LINE_BYTES = 36
LANDSCAPE = 0x1


def breaks_page(paragraph: bytes) -> bool:
    return bool(paragraph[BREAKS_AT] & BREAKS_PAGE)


def height_of(control: bytes) -> int:
    return int.from_bytes(control[HEIGHT_AT : HEIGHT_AT + 4], "little")


def size_of(control: bytes) -> Size | None:
    width = int.from_bytes(control[WIDTH_AT : WIDTH_AT + 4], "little")
    return in_points(width, height_of(control), UNITS_PER_POINT)


def lines(body: bytes) -> list[Line]:
    whole = body[: len(body) // LINE_BYTES * LINE_BYTES]
    return [(top, height) for top, height in struct.iter_unpack("<4x2i24x", whole)]


def read_page(layout: Layout, body: bytes) -> None:
    width, height, _, _, *margins, _, bits = struct.unpack_from("<10I", body)
    layout.set_page(width if bits & LANDSCAPE else height, *margins)

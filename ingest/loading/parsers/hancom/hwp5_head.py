"""Reads HWP 5's DocInfo: shapes of paragraphs, numberings, bullets."""

from __future__ import annotations

import struct
from itertools import count

from ingest.loading.parsers.hancom.hwp5_streams import records
from ingest.loading.parsers.hancom.numbers import coded
from ingest.loading.parsers.hancom.styles import BULLET, NUMBER, OUTLINE, Level, Shape, Styles

DATA, CHARACTERS, NUMBERING, BULLETS, PARAGRAPH_SHAPE = 18, 21, 23, 24, 25
LINKED, EMBEDDED = 0xF, 1
BEGINS_PAGE = 1 << 19
HEADS = ("", OUTLINE, NUMBER, BULLET)
# The first levels' starts follow their patterns; newer files hold three more levels.
LEVELS, MORE_LEVELS = range(7), range(7, 10)
LEVEL_BYTES, BULLET_AT, REFERENCE_AT = 12, 12, 30
ATTRIBUTES_AT, RAISED = 46, 1 << 15


def read_head(content: bytes) -> Styles:
    styles = Styles()
    shapes, characters, numberings, bullets = count(), count(), count(1), count(1)
    for tag, _, body in records(content, (DATA, CHARACTERS, NUMBERING, BULLETS, PARAGRAPH_SHAPE)):
        if tag == PARAGRAPH_SHAPE:
            _read_shape(styles, next(shapes), body)
        elif tag == DATA:
            styles.pictures.append(_name_of_data(body))
        elif tag == CHARACTERS:
            number = next(characters)
            if int.from_bytes(body[ATTRIBUTES_AT : ATTRIBUTES_AT + 4], "little") & RAISED:
                styles.raised.add(number)
        elif tag == NUMBERING:
            styles.numberings[next(numberings)] = _levels(body)
        elif tag == BULLETS:
            styles.bullets[next(bullets)] = body[BULLET_AT : BULLET_AT + 2].decode("utf-16-le", "replace")
    return styles


def _name_of_data(body: bytes) -> str:
    """Return the name under which the file holds a picture."""
    kind, number = struct.unpack_from("<2H", body)
    return f"BIN{number:04X}.{counted_text(body, 4)[0]}" if kind & LINKED == EMBEDDED else ""


def _read_shape(styles: Styles, at: int, body: bytes) -> None:
    (bits,) = struct.unpack_from("<I", body)
    if bits & BEGINS_PAGE:
        styles.begin_pages.add(at)
    if head := HEADS[bits >> 23 & 3]:
        (reference,) = struct.unpack_from("<H", body, REFERENCE_AT)
        styles.shapes[at] = Shape(head, reference, bits >> 25 & 7)


def _levels(body: bytes) -> dict[int, Level]:
    at = 0
    patterns: dict[int, tuple[str, str]] = {}
    starts: dict[int, int] = {}
    for levels in (LEVELS, MORE_LEVELS):
        if at >= len(body):
            break
        for level in levels:
            (bits,) = struct.unpack_from("<I", body, at)
            pattern, at = counted_text(body, at + LEVEL_BYTES)
            patterns[level] = pattern, coded(bits >> 5 & 0x1F)
        if levels is LEVELS:
            starts[0] = struct.unpack_from("<H", body, at)[0]
            at += 2
        if at + 4 * len(levels) <= len(body):
            starts |= zip(levels, struct.unpack_from(f"<{len(levels)}I", body, at), strict=True)
        at += 4 * len(levels)
    return {level: Level(*pattern, starts.get(level) or 1) for level, pattern in patterns.items()}


def counted_text(body: bytes, at: int) -> tuple[str, int]:
    """Return a text that its length precedes, and where it ends."""
    (length,) = struct.unpack_from("<H", body, at)
    end = at + 2 + 2 * length
    return body[at + 2 : end].decode("utf-16-le", "replace"), end

"""Decodes the characters of HWP 3: Hangul in Johab, Hanja and symbols in the order of KS X 1001."""

from __future__ import annotations

import struct
from collections.abc import Iterable
from functools import lru_cache

HANGUL, HANJA, SYMBOLS = range(0x8000, 0x10000), range(0x4000, 0x4000 + 4888), range(0x3400, 0x37C0)
HANCOM = dict(zip(range(0x37C0, 0x37C6), "한글과컴퓨터", strict=True))
# Rows of 94 Hanja; of symbols, rows of 96, whose first and last place is empty.
HANJA_ROW, SYMBOL_ROW = 94, 96
UNKNOWN = "\ufffd"


@lru_cache(maxsize=1 << 14)
def character(code: int) -> str:
    if code < 0x80:
        return chr(code)
    if code in HANCOM:
        return HANCOM[code]
    if code in HANGUL:
        return struct.pack(">H", code).decode("johab", "replace")[:1]
    if code in HANJA:
        row, place = divmod(code - HANJA.start, HANJA_ROW)
        return bytes([0xCA + row, 0xA1 + place]).decode("euc_kr", "replace")[:1]
    if code in SYMBOLS:
        row, place = divmod(code - SYMBOLS.start, SYMBOL_ROW)
        return bytes([0xA1 + row, 0xA0 + place]).decode("euc_kr", "replace")[:1]
    return UNKNOWN


def text(codes: Iterable[int]) -> str:
    """Decode up to the first zero."""
    characters = []
    for code in codes:
        if not code:
            break
        characters.append(character(code))
    return "".join(characters)

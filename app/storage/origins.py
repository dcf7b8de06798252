"""Where each code point of a page's text stands in the file, packed into bytes.

Of a PDF it is the number of the character among those that PDFium finds on the page, which gives its box; what a reader
made, such as the `|` of a table, has none. A reader that numbers them in another way has another version
(app/storage/processing.py).
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Iterator, Sequence

Run = tuple[int, int]
"""(length, origin of the first code point): those that follow have the origins that follow, or all are MADE."""

MADE = -1
OF_CHARACTERS = 1
"""The first byte, which says what is packed."""


def pack(runs: Sequence[Run]) -> bytes:
    packed = bytearray()
    following = 0
    for length, first in runs:
        packed += _number(length)
        if first == MADE:
            packed += b"\0"
        else:
            step = first - following
            packed += _number(2 * step + 1 if step >= 0 else -2 * step)
            following = first + length
    return bytes([OF_CHARACTERS]) + zlib.compress(bytes(packed)) if runs else b""


def unpack(packed: bytes) -> Iterator[Run]:
    numbers = _numbers(zlib.decompress(packed[1:])) if packed else iter(())
    following = 0
    for length in numbers:
        code = next(numbers)
        if code == 0:
            yield length, MADE
            continue
        first = following + (code // 2 if code % 2 else -code // 2)
        yield length, first
        following = first + length


def runs_within(runs: Iterable[Run], start: int, stop: int) -> Iterator[Run]:
    """Yield the runs of the code points from `start` to `stop`."""
    at = 0
    for length, first in runs:
        low, high = max(start, at), min(stop, at + length)
        if low < high:
            yield high - low, first if first == MADE else first + low - at
        at += length


def _number(value: int) -> bytes:
    written = bytearray()
    while value >= 0x80:
        written.append(value & 0x7F | 0x80)
        value >>= 7
    written.append(value)
    return bytes(written)


def _numbers(packed: Iterable[int]) -> Iterator[int]:
    value = shift = 0
    for byte in packed:
        value |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            yield value
            value = shift = 0

"""Where the words of scanned pages stand in a document's text and on the page, to highlight them."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Sequence
from dataclasses import astuple, dataclass

_PACKED = struct.Struct("<2I4i")
_TENTHS = 10


@dataclass(frozen=True, slots=True)
class WordBox:
    """`start` and `stop` count code points of the page's text; the box is in points of the page, the origin at the top
    left."""

    start: int
    stop: int
    left: float
    top: float
    width: float
    height: float


def pack(words: Sequence[WordBox]) -> bytes:
    """Return them compressed, boxes in tenths of a point."""
    return zlib.compress(
        b"".join(
            _PACKED.pack(word.start, word.stop, *(round(_TENTHS * side) for side in astuple(word)[2:]))
            for word in words
        )
    )


def unpack(packed: bytes) -> list[WordBox]:
    return [
        WordBox(start, stop, *(side / _TENTHS for side in sides))
        for start, stop, *sides in _PACKED.iter_unpack(zlib.decompress(packed))
    ]

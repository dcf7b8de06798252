"""Tells a tar archive, packed by gzip or not, by its first bytes."""

from __future__ import annotations

import zlib

TAR = "application/x-tar"
GZIP_MARK, TAR_MARK, PLACE = b"\x1f\x8b", b"ustar", slice(257, 262)


def is_tar(head: bytes) -> bool:
    try:
        begin = zlib.decompressobj(wbits=31).decompress(head, PLACE.stop) if head.startswith(GZIP_MARK) else head
    except zlib.error:
        return False
    return begin[PLACE] == TAR_MARK

"""Opens the streams of HWP 5: unpacks them, decrypts those "for distribution", and yields their records.

After "Hangul Document File Format 5.0" as Hancom publishes it.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Container, Iterator
from typing import Any

from ingest.loading.refusals import CORRUPT, UNPACKS_TO_TOO_MUCH

COMPRESSED, DISTRIBUTION = 0x1, 0x4
DISTRIBUTION_DATA = 28
LONG_RECORD = 0xFFF
MAX_BYTES = 1 << 28

Record = tuple[int, int, bytes]


def flags_of(ole: Any) -> int:
    header = ole.openstream("FileHeader").read()
    return int.from_bytes(header[36:40], "little")


def title_of(ole: Any) -> str | None:
    try:
        title = ole.getproperties("\x05HwpSummaryInformation").get(2)
    except OSError:
        return None
    # The library takes the length in characters for one in bytes, and reads on.
    return title.split("\0")[0] if isinstance(title, str) else None


def page_count_of(ole: Any) -> int:
    try:
        count = ole.getproperties("\x05HwpSummaryInformation").get(14)
    except OSError:
        return 0
    return count if isinstance(count, int) else 0


def unpacked(stream: bytes, flags: int) -> bytes:
    if flags & DISTRIBUTION:
        stream = _opened(stream)
    if not flags & COMPRESSED:
        return stream
    inflater = zlib.decompressobj(wbits=-15)
    content = inflater.decompress(stream, MAX_BYTES)
    if inflater.unconsumed_tail:
        raise UNPACKS_TO_TOO_MUCH
    if not inflater.eof:
        raise CORRUPT
    return content


def _opened(stream: bytes) -> bytes:
    """Decrypt it by the key in its first record, hidden by XOR with a generator that the first four bytes seed."""
    from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

    tag, _, data = next(records(stream, (DISTRIBUTION_DATA,)), (0, 0, b""))
    if tag != DISTRIBUTION_DATA or len(data) != 256:
        raise CORRUPT
    state = int.from_bytes(data[:4], "little")
    key_at, mask = 4 + (state & 0xF), bytearray()
    while len(mask) < len(data):
        state = (state * 214013 + 2531011) & 0xFFFFFFFF
        value = state >> 16 & 0xFF
        state = (state * 214013 + 2531011) & 0xFFFFFFFF
        mask += bytes([value]) * ((state >> 16 & 0xF) + 1)
    key = bytes(data[i] ^ mask[i] for i in range(key_at, key_at + 16))
    # The format prescribes ECB; nothing is secret here, since the key lies beside the text.
    decryptor = Cipher(algorithms.AES(key), modes.ECB()).decryptor()  # noqa: S305
    rest = stream[4 + len(data) :]
    return decryptor.update(rest[: len(rest) // 16 * 16])


def records(content: bytes, wanted: Container[int]) -> Iterator[Record]:
    """Yield (tag, level, body) of the records whose tag is wanted."""
    at = 0
    while at + 4 <= len(content):
        (head,) = struct.unpack_from("<I", content, at)
        size, at = head >> 20, at + 4
        if size == LONG_RECORD:
            (size,) = struct.unpack_from("<I", content, at)
            at += 4
        if at + size > len(content):
            raise CORRUPT
        if head & 0x3FF in wanted:
            yield head & 0x3FF, head >> 10 & 0x3FF, content[at : at + size]
        at += size

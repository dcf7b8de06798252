"""Reads HWP 5, Hancom's documents as records in an OLE file, including those "for distribution".

After "Hangul Document File Format 5.0" as Hancom publishes it.
"""

from __future__ import annotations

import re
import struct
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ingest.loading.parsed import Options, Parsed, without_pages
from ingest.loading.parsers.flow import Flow
from ingest.loading.parsers.titles import own
from ingest.loading.refusals import CORRUPT, ENCRYPTED, UNPACKS_TO_TOO_MUCH

COMPRESSED, DISTRIBUTION = 0x1, 0x4
# Password, DRM, certificate, DRM with a certificate.
LOCKED = 0x2 | 0x10 | 0x100 | 0x400
DISTRIBUTION_DATA, PARAGRAPH_TEXT, CONTROL, LIST, TABLE, FORMULA = 28, 67, 71, 72, 77, 88
LONG_RECORD = 0xFFF
MAX_BYTES = 1 << 28
# These take eight code units, most of which are not text.
TAB = re.compile("\t.{7}", re.DOTALL)
CONTROLS = re.compile("[\x01-\x08\x0b\x0c\x0e-\x17].{7}", re.DOTALL)
SINGLE = str.maketrans({"\r": "\n", "\x18": "-", "\x1e": " ", "\x1f": " "})


def read(path: Path, _: Options) -> Parsed:
    import olefile

    with olefile.OleFileIO(path) as ole:
        flags = _flags(ole)
        if flags & LOCKED:
            raise ENCRYPTED
        # In a document for distribution BodyText only says that a newer program is needed.
        folder = "ViewText" if flags & DISTRIBUTION else "BodyText"
        streams = [name for name in ole.listdir() if len(name) == 2 and re.fullmatch(r"Section\d{1,6}", name[1])]
        sections = sorted((name for name in streams if name[0] == folder), key=lambda name: int(name[1][7:]))
        if not sections:
            raise CORRUPT
        flow = Flow()
        for name in sections:
            _read_section(_unpacked(ole.openstream(name).read(), flags), flow)
        text = flow.text()
        return without_pages(own(_title(ole), text), text)


def _flags(ole: Any) -> int:
    header = ole.openstream("FileHeader").read()
    return int.from_bytes(header[36:40], "little")


def _title(ole: Any) -> str | None:
    try:
        title = ole.getproperties("\x05HwpSummaryInformation").get(2)
    except OSError:
        return None
    # The library takes the length in characters for one in bytes, and reads on.
    return title.split("\0")[0] if isinstance(title, str) else None


def _unpacked(stream: bytes, flags: int) -> bytes:
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

    tag, _, data = next(_records(stream), (0, 0, b""))
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


def _records(content: bytes) -> Iterator[tuple[int, int, bytes]]:
    """Yield (tag, level, body)."""
    at = 0
    while at + 4 <= len(content):
        (head,) = struct.unpack_from("<I", content, at)
        size, at = head >> 20, at + 4
        if size == LONG_RECORD:
            (size,) = struct.unpack_from("<I", content, at)
            at += 4
        if at + size > len(content):
            raise CORRUPT
        yield head & 0x3FF, head >> 10 & 0x3FF, content[at : at + size]
        at += size


def _read_section(content: bytes, flow: Flow) -> None:
    """Read the records: cells follow their table's on the same level, and a lower level ends the table."""
    tables: list[int] = []
    cells: list[tuple[int, int] | None] = []

    def close_cell() -> None:
        if (place := cells[-1]) is not None:
            flow.close_cell(*place)
            cells[-1] = None

    def close_tables(level: int) -> None:
        while tables and level < tables[-1]:
            close_cell()
            flow.close_table()
            tables.pop()
            cells.pop()

    for tag, level, body in _records(content):
        close_tables(level)
        if tag == TABLE:
            flow.open_table()
            tables.append(level)
            cells.append(None)
        elif tag == LIST and tables and level == tables[-1]:
            close_cell()
            column, row = struct.unpack_from("<2H", body, 8)
            flow.open_cell()
            cells[-1] = (row, column)
        elif tag == PARAGRAPH_TEXT:
            flow.paragraph(_text(body))
        elif tag == FORMULA:
            (length,) = struct.unpack_from("<H", body, 4)
            flow.paragraph(_text(body[6 : 6 + 2 * length]))
    close_tables(-1)


def _text(body: bytes) -> str:
    units = "".join(map(chr, struct.unpack(f"<{len(body) // 2}H", body[: len(body) // 2 * 2])))
    plain = CONTROLS.sub("", TAB.sub("\t", units)).translate(SINGLE)
    # Characters beyond 16 bits are two units.
    return plain.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")

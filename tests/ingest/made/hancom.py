"""HWPX, and HWP 5 in its compound file, for distribution too."""

from __future__ import annotations

import struct
import zlib
from xml.sax.saxutils import escape

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

from tests.ingest.made.content import DECLARATION, Content, halves, zipped

FREE, END, FAT = 0xFFFFFFFF, 0xFFFFFFFE, 0xFFFFFFFD
SECTOR = 512
SEED = 20240607


def hwpx(content: Content, **more: bytes) -> bytes:
    def paragraph(text: str, inner: str = "") -> str:
        runs = "".join(f"<hp:run><hp:t>{half}</hp:t></hp:run>" for half in halves(text)) if text else ""
        return f"<hp:p>{runs}{f'<hp:run>{inner}</hp:run>' if inner else ''}</hp:p>"

    def cell(row: int, column: int, text: str) -> str:
        address = f'<hp:cellAddr colAddr="{column}" rowAddr="{row}"/><hp:cellSpan colSpan="1" rowSpan="1"/>'
        return f"<hp:tc><hp:subList>{paragraph(text)}</hp:subList>{address}</hp:tc>"

    rows = "".join(
        f"<hp:tr>{''.join(cell(r, c, text) for c, text in enumerate(row))}</hp:tr>"
        for r, row in enumerate(content.table)
    )
    names = 'xmlns:hs="http://www.hancom.co.kr/hwpml/2011/section"'
    names += ' xmlns:hp="http://www.hancom.co.kr/hwpml/2011/paragraph"'
    first = paragraph(content.title) + paragraph(content.sentence, f"<hp:tbl>{rows}</hp:tbl>")
    opf = (
        f'{DECLARATION}<opf:package xmlns:opf="http://www.idpf.org/2007/opf/"><opf:metadata>'
        f"<opf:title>{escape(content.title)}</opf:title></opf:metadata></opf:package>"
    )
    return zipped(
        {
            "mimetype": "application/hwp+zip",
            "Contents/content.hpf": opf,
            "Contents/section1.xml": f"{DECLARATION}<hs:sec {names}>{paragraph(content.second)}</hs:sec>",
            "Contents/section0.xml": f"{DECLARATION}<hs:sec {names}>{first}</hs:sec>",
            **more,
        }
    )


def hml(content: Content) -> bytes:
    def paragraph(text: str, inner: str = "") -> str:
        runs = "".join(f"<TEXT><CHAR>{half}</CHAR></TEXT>" for half in halves(text)) if text else ""
        return f'<P ParaShape="0">{runs}{f"<TEXT>{inner}</TEXT>" if inner else ""}</P>'

    rows = "".join(
        f"<ROW>{''.join(_hml_cell(r, c, paragraph(text)) for c, text in enumerate(row))}</ROW>"
        for r, row in enumerate(content.table)
    )
    first = paragraph(content.title) + paragraph(content.sentence, f"<TABLE>{rows}</TABLE>")
    head = f"<DOCSUMMARY><TITLE>{escape(content.title)}</TITLE></DOCSUMMARY>"
    body = f"<SECTION>{first}</SECTION><SECTION>{paragraph(content.second)}</SECTION>"
    return f'{DECLARATION}<HWPML Version="2.8"><HEAD>{head}</HEAD><BODY>{body}</BODY></HWPML>'.encode()


def _hml_cell(row: int, column: int, inner: str) -> str:
    return f'<CELL ColAddr="{column}" RowAddr="{row}"><PARALIST>{inner}</PARALIST></CELL>'


def compound(streams: dict[str, bytes]) -> bytes:
    """An OLE compound file. Streams are filled up to 4,096 bytes: shorter ones would need a second kind of sector."""
    folders = {name.rpartition("/")[0] for name in streams} - {""}
    entries = [("Root Entry", 5, b""), *((name, 1, b"") for name in sorted(folders))]
    entries += [(name, 2, body.ljust(4096, b"\0")) for name, body in sorted(streams.items())]
    directory_sectors = -(-len(entries) // 4)
    data_sectors = sum(-(-len(body) // SECTOR) for _, _, body in entries)
    tables = -(-(directory_sectors + data_sectors) // (SECTOR // 4 - 1))
    chain: list[int] = [FAT] * tables + [*range(tables + 1, tables + directory_sectors), END]
    sectors, directory = [], b""
    children = {
        parent: [i for i, (name, _, _) in enumerate(entries) if i and name.rpartition("/")[0] == parent]
        for parent in ("", *folders)
    }
    after = {i: following for kin in children.values() for i, following in zip(kin, [*kin[1:], FREE], strict=True)}
    for i, (name, kind, body) in enumerate(entries):
        start = END
        if body:
            start, count = len(chain), -(-len(body) // SECTOR)
            chain += [*range(start + 1, start + count), END]
            sectors.append(body.ljust(count * SECTOR, b"\0"))
        kin = children.get("" if kind == 5 else name, []) if kind != 2 else []
        label = name.rpartition("/")[2].encode("utf-16-le")
        directory += label.ljust(64, b"\0") + struct.pack(
            "<HBBIII36sIQ", len(label) + 2, kind, 1, FREE, after.get(i, FREE), kin[0] if kin else FREE,
            bytes(36), start, len(body),
        )  # fmt: skip
    table = struct.pack(f"<{len(chain)}I", *chain).ljust(tables * SECTOR, b"\xff")
    header = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + struct.pack(
        "<16s5H6s9I", bytes(16), 0x3E, 3, 0xFFFE, 9, 6, bytes(6), 0, tables, tables, 0, 4096, END, 0, END, 0
    )
    header += struct.pack("<109I", *range(tables), *[FREE] * (109 - tables))
    return header + table + directory.ljust(directory_sectors * SECTOR, b"\0") + b"".join(sectors)


def record(tag: int, level: int, body: bytes) -> bytes:
    if len(body) < 0xFFF:
        return struct.pack("<I", tag | level << 10 | len(body) << 20) + body
    return struct.pack("<II", tag | level << 10 | 0xFFF << 20, len(body)) + body


def hwp_paragraph(text: str, level: int = 0, inner: bytes = b"") -> bytes:
    control = struct.pack("<H4s8xH", 11, b" lbt", 11) if inner else b""
    units = text.encode("utf-16-le") + control + b"\r\0"
    return record(66, level, bytes(22)) + record(67, level + 1, units) + inner


def hwp(content: Content, flags: int = 1, section: bytes = b"") -> bytes:
    cells = b"".join(
        record(72, 2, struct.pack("<HxxI4HII", 1, 0, c, r, 1, 1, 0, 0)) + hwp_paragraph(text, 2)
        for r, row in enumerate(content.table)
        for c, text in enumerate(row)
    )
    table = record(71, 1, b" lbt" + bytes(40)) + record(77, 2, struct.pack("<IHH", 0, 2, 2)) + cells
    first = section or hwp_paragraph(content.title) + hwp_paragraph(content.sentence, inner=table)
    sections = [deflated(first), deflated(hwp_paragraph(content.second))]
    streams = {"FileHeader": b"HWP Document File".ljust(32, b"\0") + struct.pack("<II", 0x05010100, flags)}
    streams |= {f"BodyText/Section{i}": body for i, body in enumerate(sections)}
    if flags & 4:
        notice = deflated(hwp_paragraph("상위 버전의 배포용 문서입니다."))
        streams |= {"BodyText/Section0": notice, "BodyText/Section1": notice}
        streams |= {f"ViewText/Section{i}": _distributed(body) for i, body in enumerate(sections)}
    return compound(streams)


def deflated(body: bytes) -> bytes:
    packer = zlib.compressobj(wbits=-15)
    return packer.compress(body) + packer.flush()


def _distributed(body: bytes) -> bytes:
    """As Hancom's own program locks it: the key hides in 256 bytes that a seeded generator scrambles."""
    key = b"0123456789abcdef"
    hidden = bytearray(bytes(4 + (SEED & 0xF)) + key).ljust(256, b"\0")
    state, at = SEED, 0

    def following() -> int:
        nonlocal state
        state = (state * 214013 + 2531011) & 0xFFFFFFFF
        return state >> 16 & 0x7FFF

    while at < 256:
        value, length = following() & 0xFF, (following() & 0xF) + 1
        hidden[at : at + length] = bytes(byte ^ value for byte in hidden[at : at + length])
        at += length
    hidden[:4] = struct.pack("<I", SEED)
    cipher = Cipher(algorithms.AES(key), modes.ECB()).encryptor()
    return record(28, 0, bytes(hidden)) + cipher.update(body.ljust(-(-len(body) // 16) * 16, b"\0"))

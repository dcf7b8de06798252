"""Reads HWP 5, Hancom's documents as records in an OLE file, including those "for distribution"."""

from __future__ import annotations

import re
from pathlib import Path

from ingest.loading.parsed import Options, Parsed
from ingest.loading.parsers.hancom.body import Body
from ingest.loading.parsers.hancom.hwp5_head import read_head
from ingest.loading.parsers.hancom.hwp5_records import WANTED, RecordReader, read_memos
from ingest.loading.parsers.hancom.hwp5_streams import (
    COMPRESSED,
    DISTRIBUTION,
    flags_of,
    page_count_of,
    records,
    title_of,
    unpacked,
)
from ingest.loading.parsers.hancom.styles import Styles
from ingest.loading.refusals import CORRUPT, ENCRYPTED

# Password, DRM, certificate, DRM with a certificate.
LOCKED = 0x2 | 0x10 | 0x100 | 0x400
HEAD, MEMO_FIELD = "DocInfo", b"em%%"


def read(path: Path, options: Options) -> Parsed:
    import olefile

    with olefile.OleFileIO(path) as ole:
        flags = flags_of(ole)
        if flags & LOCKED:
            raise ENCRYPTED
        # In a document for distribution BodyText only says that a newer program is needed.
        folder = "ViewText" if flags & DISTRIBUTION else "BodyText"
        streams = [name for name in ole.listdir() if len(name) == 2 and re.fullmatch(r"Section\d{1,6}", name[1])]
        sections = sorted((int(name[1][7:]), name) for name in streams if name[0] == folder)
        if not sections:
            raise CORRUPT
        head = unpacked(ole.openstream(HEAD).read(), flags & COMPRESSED) if ole.exists(HEAD) else b""
        styles = read_head(head) if head else Styles()
        body = Body(styles, options)
        body.layout.told = page_count_of(ole)
        for _, name in sections:
            content = unpacked(ole.openstream(name).read(), flags)
            body.layout.new_section()
            memos = read_memos(styles, content) if MEMO_FIELD in content else {}
            RecordReader(body, styles, memos).read(records(content, WANTED))
        return body.parsed(title_of(ole))

"""Looks into Word, Excel and PowerPoint files of before 2007, which LibreOffice converts before they are read."""

from __future__ import annotations

import struct
from pathlib import Path
from typing import TYPE_CHECKING

from ingest.loading.parsed import Options, Parsed
from ingest.loading.parsers.office_notices import MACROS

if TYPE_CHECKING:
    from olefile import OleFileIO

MACRO_FOLDERS = {"Macros", "_VBA_PROJECT_CUR"}
WORD, PRESENTATION, WORKBOOKS = "WordDocument", "PowerPoint Document", ("Workbook", "Book")
# Of [MS-DOC] FibBase, [MS-PPT] CurrentUserAtom and [MS-XLS] FilePass.
WORD_FLAGS, WORD_ENCRYPTED = 10, 0x0100
USER_TOKEN, USER_ENCRYPTED = 12, 0xF3D1C4DF
FILE_PASS, END = 0x2F, 0x0A
MAX_RECORDS = 100


def read(path: Path, options: Options) -> Parsed:
    """Return no pages, and what would be lost unsaid."""
    import olefile

    with olefile.OleFileIO(path) as ole:
        has_macros = any(entry[0] in MACRO_FOLDERS for entry in ole.listdir())
    return Parsed(None, [], [MACROS] if has_macros else [])


def is_encrypted(path: Path) -> bool:
    import olefile

    with olefile.OleFileIO(path) as ole:
        if ole.exists(WORD):
            return bool(_number(ole, WORD, WORD_FLAGS, "<H") & WORD_ENCRYPTED)
        if ole.exists(PRESENTATION):
            return ole.exists("Current User") and _number(ole, "Current User", USER_TOKEN, "<I") == USER_ENCRYPTED
        return any(_asks_for_a_password(ole, name) for name in WORKBOOKS if ole.exists(name))


def _number(ole: OleFileIO, name: str, at: int, form: str) -> int:
    content = ole.openstream(name).read(at + 4)
    return int(struct.unpack_from(form, content, at)[0]) if len(content) >= at + 4 else 0


def _asks_for_a_password(ole: OleFileIO, name: str) -> bool:
    """Look through the first records: it stands before all that is encrypted."""
    stream = ole.openstream(name)
    for _ in range(MAX_RECORDS):
        head = stream.read(4)
        if len(head) < 4:
            return False
        kind, size = struct.unpack("<HH", head)
        if kind in (FILE_PASS, END):
            return bool(kind == FILE_PASS)
        stream.read(size)
    return False

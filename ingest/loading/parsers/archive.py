"""Reads zip archives: the text names the members, each of which becomes a document of its own."""

from __future__ import annotations

import re
import stat
import zipfile
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from app.errors import DocumentError
from ingest.loading.charset import decoded_text
from ingest.loading.parsed import Member, Notice, Options, Page, Parsed
from ingest.loading.parsers.member_paths import Paths
from ingest.loading.refusals import ENCRYPTED

ENCRYPTED_MEMBER = 0x1
UTF_8_NAME = 0x800
# What programs put beside the files of people.
LITTER = re.compile(r"(?:.*/)?(?:__MACOSX/.*|\.DS_Store|Thumbs\.db|desktop\.ini)", re.IGNORECASE | re.DOTALL)
LOCKED = "The archive holds this file under a password. Send it unlocked."
LINK = "The archive holds a link in the place of this file. Send the file that it leads to."


def read(path: Path, _: Options) -> Parsed:
    with zipfile.ZipFile(path) as archive:
        listed = _listed(archive)
    if listed and all(info.flag_bits & ENCRYPTED_MEMBER for _, info in listed):
        raise ENCRYPTED
    if not listed:
        raise DocumentError("empty", "The archive holds no files.")
    return Parsed(None, [Page(None, "\n".join(name for name, _ in listed))], has_members=True)


def members(path: Path, _: Options) -> Iterator[Member | Notice]:
    with zipfile.ZipFile(path) as archive:
        for name, info in _listed(archive):
            if info.flag_bits & ENCRYPTED_MEMBER:
                yield Notice("attachment_skipped", LOCKED, part=name)
            elif stat.S_ISLNK(info.external_attr >> 16):
                yield Notice("attachment_skipped", LINK, part=name)
            else:
                yield Member(name, info.file_size, partial(_read, archive, info))


def _read(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> bytes:
    with archive.open(info) as member:
        # It may unpack to more than it declares.
        return member.read(info.file_size)


def _listed(archive: zipfile.ZipFile) -> list[tuple[str, zipfile.ZipInfo]]:
    """Return the files by their paths, which differ and lead nowhere."""
    paths = Paths()
    found = ((_name(info), info) for info in archive.infolist() if not info.is_dir())
    return [(paths.add(name), info) for name, info in found if not LITTER.fullmatch(name)]


def _name(info: zipfile.ZipInfo) -> str:
    """Return the member's name: in the charset of the machine that packed it, unless it says that it is UTF-8."""
    if info.flag_bits & UTF_8_NAME:
        return info.filename
    raw = info.filename.encode("cp437", "replace")
    return decoded_text(raw) or info.filename

"""Reads tar archives, packed by gzip or not, as zip archives are: each member becomes a document of its own."""

from __future__ import annotations

import tarfile
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Final

from app.errors import DocumentError
from ingest.loading.charset import decoded_text
from ingest.loading.parsed import Member, Notice, Options, Page, Parsed
from ingest.loading.parsers.archive import LINK, LITTER
from ingest.loading.parsers.member_paths import Paths

# As a stream: what is packed is unpacked once, from the beginning to the end.
MODE: Final = "r|*"


def read(path: Path, _: Options) -> Parsed:
    with tarfile.open(path, MODE) as archive:
        names = [name for name, _ in _listed(archive)]
    if not names:
        raise DocumentError("empty", "The archive holds no files.")
    return Parsed(None, [Page(None, "\n".join(names))], has_members=True)


def members(path: Path, _: Options) -> Iterator[Member | Notice]:
    with tarfile.open(path, MODE) as archive:
        for name, info in _listed(archive):
            if info.isfile():
                yield Member(name, info.size, partial(_read, archive, info))
            else:
                yield Notice("attachment_skipped", LINK, part=name)


def _read(archive: tarfile.TarFile, info: tarfile.TarInfo) -> bytes:
    file = archive.extractfile(info)
    return file.read() if file is not None else b""


def _listed(archive: tarfile.TarFile) -> Iterator[tuple[str, tarfile.TarInfo]]:
    """Yield the files and links by their paths, which differ and lead nowhere."""
    paths = Paths()
    for info in archive:
        name = decoded_text(info.name.encode("utf-8", "surrogateescape")) or info.name
        if (info.isfile() or info.issym() or info.islnk()) and not LITTER.fullmatch(name):
            yield paths.add(name), info

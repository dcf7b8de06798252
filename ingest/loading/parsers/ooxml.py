"""Opens documents that are a zip of XML parts, within limits and without expanding entities."""

from __future__ import annotations

import posixpath
import re
import zipfile
import zlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol
from xml.parsers import expat

from ingest.loading.refusals import CORRUPT, ENCRYPTED, UNPACKS_TO_TOO_MUCH

MAX_BYTES = 1 << 29
READ_BYTES = 1 << 16
ENCRYPTED_MEMBER = 0x1
READABLE = (".xml", ".rels", ".opf", ".xhtml", ".html", ".htm")
ENTITY = b"<!ENTITY"

# What a damaged part raises.
DAMAGED = (ValueError, LookupError, zlib.error, zipfile.BadZipFile, EOFError, expat.ExpatError)

Attributes = dict[str, str]


class XmlReader(Protocol):
    """Receives a part's elements by their local names."""

    def start(self, name: str, attributes: Attributes) -> None: ...

    def text(self, text: str) -> None: ...

    def end(self, name: str) -> None: ...


@contextmanager
def open_package(path: Path) -> Iterator[zipfile.ZipFile]:
    with zipfile.ZipFile(path) as archive:
        members = archive.infolist()
        if any(member.flag_bits & ENCRYPTED_MEMBER for member in members):
            raise ENCRYPTED
        # zipfile reads no more of a member than it declares.
        if sum(member.file_size for member in members) > MAX_BYTES:
            raise UNPACKS_TO_TOO_MUCH
        yield archive


def check_parts(archive: zipfile.ZipFile) -> None:
    """Read all parts before another library does, which would silently leave out what is damaged."""
    for member in archive.infolist():
        if member.filename.lower().endswith(READABLE) and holds(archive, member, ENTITY):
            raise CORRUPT


def holds(archive: zipfile.ZipFile, name: str | zipfile.ZipInfo, word: bytes) -> bool:
    """Tell whether a part holds a word."""
    tail = b""
    with archive.open(name) as part:
        while content := part.read(READ_BYTES):
            if word in tail + content:
                return True
            tail = content[-len(word) :]
    return False


def read_xml(archive: zipfile.ZipFile, name: str, reader: XmlReader) -> None:
    """Feed a part to the reader. Raises KeyError if it does not exist."""
    with archive.open(name) as part:
        feed_xml(iter(lambda: part.read(READ_BYTES), b""), reader)


def feed_xml(contents: Iterable[bytes], reader: XmlReader) -> None:
    parser = expat.ParserCreate()
    parser.buffer_text = True
    parser.StartDoctypeDeclHandler = refuse_doctype
    # Parts of millions of elements have a few dozen names.
    names = _LocalNames()
    start, end = reader.start, reader.end
    parser.StartElementHandler = lambda qualified, attributes: start(names[qualified], attributes)
    parser.EndElementHandler = lambda qualified: end(names[qualified])
    parser.CharacterDataHandler = reader.text
    for content in contents:
        parser.Parse(content)
    parser.Parse(b"", True)


def numbered(archive: zipfile.ZipFile, pattern: str) -> list[str]:
    """Return the parts that match, in the order of the number in the pattern's group."""
    found = [(re.fullmatch(pattern, name), name) for name in archive.namelist()]
    return [name for _, name in sorted((int(match.group(1)), name) for match, name in found if match)]


def relations(archive: zipfile.ZipFile, name: str) -> list[tuple[str, str, str]]:
    """Return (key, kind, part) of the parts that a part refers to; "" is the package itself."""
    folder, _, file = name.rpartition("/")
    found = Relations()
    try:
        read_xml(archive, posixpath.join(folder, "_rels", f"{file}.rels"), found)
    except KeyError:
        return []
    parts = set(archive.namelist())
    named = [
        (key, kind.rpartition("/")[2], posixpath.normpath(posixpath.join("/", folder, target)).lstrip("/"))
        for key, kind, target in found.targets
    ]
    return [each for each in named if each[2] in parts]


class Relations:
    def __init__(self) -> None:
        self.targets: list[tuple[str, str, str]] = []

    def start(self, name: str, attributes: Attributes) -> None:
        if name == "Relationship":
            self.targets.append((attributes.get("Id", ""), attributes.get("Type", ""), attributes.get("Target", "")))

    def text(self, text: str) -> None:
        pass

    def end(self, name: str) -> None:
        pass


class _LocalNames(dict[str, str]):
    def __missing__(self, qualified: str) -> str:
        local = self[qualified] = qualified.rpartition(":")[2]
        return local


def refuse_doctype(*_: object) -> None:
    """Refuse a DTD: only there entities are declared, and office programs do not write one."""
    raise CORRUPT

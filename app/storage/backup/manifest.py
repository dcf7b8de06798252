"""What a backup holds: each file with its size and SHA-256, and what there was of each tenant."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import BinaryIO

from app.storage.backup.errors import BackupDamaged
from app.storage.blobs import READ_BYTES

FORMAT = 1
MANIFEST, FILES, DUMP = "manifest.json", "files.jsonl", "database.dump"


@dataclass(frozen=True, slots=True)
class File:
    """`path` is `blobs/TENANT/NAME` or `adapters/TENANT/VERSION/NAME`; `sha256` in hex digits."""

    path: str
    size: int
    sha256: str


@dataclass(frozen=True, slots=True)
class TenantCounts:
    number: int
    id: str
    documents: int
    chunks: int
    adapters: int


@dataclass(frozen=True, slots=True)
class Manifest:
    """`database` and `files` are the hashes of the dump and of the list of files; `damaged` are files that were
    missing or had changed when the backup was made."""

    name: str
    made_at: str
    software: str
    schema: str
    postgresql: int
    database: File
    files: File
    file_count: int
    file_bytes: int
    tenants: list[TenantCounts]
    damaged: list[str] = field(default_factory=list)
    format: int = FORMAT

    def dump(self) -> bytes:
        """Return it as JSON, whose last line is its own hash."""
        text = json.dumps(asdict(self), ensure_ascii=False, indent=1).encode() + b"\n"
        return text + hashlib.sha256(text).hexdigest().encode() + b"\n"


def load_manifest(content: bytes) -> Manifest:
    """Raises BackupDamaged if it was changed, or is of a format that this version does not know."""
    text, _, digest = content.rstrip(b"\n").rpartition(b"\n")
    text += b"\n"
    try:
        if hashlib.sha256(text).hexdigest().encode() != digest:
            raise BackupDamaged("The manifest is damaged: its own checksum does not fit.")
        values = json.loads(text)
        if values["format"] != FORMAT:
            raise BackupDamaged("A newer Kyujang made this backup: restore it with that version.")
        values["database"], values["files"] = File(**values["database"]), File(**values["files"])
        values["tenants"] = [TenantCounts(**each) for each in values["tenants"]]
        return Manifest(**values)
    except (ValueError, TypeError, KeyError) as error:
        raise BackupDamaged("The manifest is damaged: it is not one that Kyujang writes.") from error


def write_files(files: Iterable[File], target: BinaryIO) -> None:
    for each in files:
        target.write(json.dumps(asdict(each), ensure_ascii=False).encode() + b"\n")


def read_files(path: Path) -> Iterator[File]:
    with path.open("rb") as lines:
        for line in lines:
            yield File(**json.loads(line))


def hash_of(path: Path) -> tuple[int, str]:
    """Return a file's size and SHA-256."""
    with path.open("rb") as file:
        reading = Reading(file)
        while reading.read():
            pass
    return reading.size, reading.file("").sha256


class Reading:
    """Reads a file and hashes what it has read."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._digest = hashlib.sha256()
        self.size = 0

    def read(self, size: int = READ_BYTES) -> bytes:
        part = self._file.read(size)
        self._digest.update(part)
        self.size += len(part)
        return part

    def file(self, path: str) -> File:
        return File(path, self.size, self._digest.hexdigest())

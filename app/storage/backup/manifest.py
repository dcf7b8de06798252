"""What a backup holds: each file with its size and SHA-256, and what there was of each tenant."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

from app.storage.backup.errors import BackupDamaged
from app.storage.blobs import READ_BYTES

FORMAT = 1
MANIFEST, FILES, DUMP, ROWS = "manifest.json", "files.jsonl", "database.dump", "rows.jsonl"
PART = ".part"
KINDS = ("blobs", "adapters")


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
class Key:
    """A key of a tenant, without its secret. Times are as PostgreSQL writes them."""

    id: str
    scopes: list[str]
    created_at: str
    expires_at: str | None
    revoked_at: str | None
    only: dict[str, Any] | None = None
    """The filter of the part that it is bound to."""
    groups: str | None = None
    """The metadata list with the groups that it acts for."""


@dataclass(frozen=True, slots=True)
class Exported:
    """What an export says of its tenant: the rows of each table, the embedding model of its vectors, the base models of
    its adapters, hashes of all texts and vectors, and the keys, which an import does not make."""

    id: str
    name: str
    rows: dict[str, int]
    model: str
    dimension: int
    base_models: list[str]
    texts: str
    vectors: str
    keys: list[Key]


@dataclass(frozen=True, slots=True)
class Manifest:
    """`database` and `files` are the hashes of the dump (of an export, of its rows) and of the list of files; `damaged`
    are files that were missing or had changed when the backup was made."""

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
    export: Exported | None = None
    format: int = FORMAT

    @property
    def kind(self) -> str:
        return "backup" if self.export is None else "export"

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
        if (export := values.get("export")) is not None:
            values["export"] = Exported(**{**export, "keys": [Key(**each) for each in export["keys"]]})
        return Manifest(**values)
    except (ValueError, TypeError, KeyError) as error:
        raise BackupDamaged("The manifest is damaged: it is not one that Kyujang writes.") from error


def write_files(files: Iterable[File], target: BinaryIO) -> None:
    for each in files:
        target.write(json.dumps(asdict(each), ensure_ascii=False).encode() + b"\n")


def read_manifest(own: Path) -> Manifest:
    """Raises BackupDamaged, which names the file."""
    try:
        return load_manifest((own / MANIFEST).read_bytes())
    except BackupDamaged as error:
        raise BackupDamaged(f"{own / MANIFEST}: {error.detail}") from error


def listed_files(own: Path) -> Iterator[File]:
    """Yield what a backup has. Raises BackupDamaged if its list is not the one that was written."""
    if not is_file(own / FILES, read_manifest(own).files):
        raise BackupDamaged(
            f"The list of files {own / FILES} is damaged, and this backup cannot be restored. Delete {own}; then "
            "backups can be added again."
        )
    with (own / FILES).open("rb") as lines:
        for line in lines:
            file = File(**json.loads(line))
            kind, *rest = file.path.split("/")
            if kind not in KINDS or not rest or {"", ".", ".."} & set(rest):
                raise BackupDamaged(f"{own / FILES} names {file.path!r}, where Kyujang keeps no file.")
            yield file


def is_file(path: Path, file: File) -> bool:
    """Say whether a file is there and is that one."""
    return path.is_file() and hash_of(path) == (file.size, file.sha256)


def copy_file(source: Path, target: Path, path: str) -> File:
    """Copy it and return what was read. It has its name only when it is whole and on disk; its folder may not be."""
    part = target.with_name(target.name + PART)
    with source.open("rb") as read, part.open("wb") as written:
        reading = Reading(read)
        while content := reading.read():
            written.write(content)
        written.flush()
        os.fsync(written.fileno())
    part.rename(target)
    return reading.file(path)


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

"""Write a backup as one .tar, and unpack it."""

from __future__ import annotations

import io
import os
import tarfile
import tempfile
from pathlib import Path
from types import TracebackType
from typing import Self

from app.storage.backup.errors import BackupDamaged, BackupFailed
from app.storage.backup.manifest import MANIFEST, File, Manifest, Reading
from app.storage.blobs import sync

PART = ".part"


class TarDestination:
    """A .tar that is always whole: it has its name only once all of it is written."""

    def __init__(self, path: Path) -> None:
        if path.exists():
            raise BackupFailed(f"{path} exists already: name another file, or a folder, which keeps several backups.")
        self._path, self._part = path, path.with_name(path.name + PART)

    def __enter__(self) -> Self:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        self._scratch = tempfile.TemporaryDirectory(dir=self._path.parent, prefix=".backup-")
        # Tenants' documents are for the operator alone.
        self._part.unlink(missing_ok=True)
        self._file = open(self._part, "wb", opener=private)
        self._tar = tarfile.open(fileobj=self._file, mode="w")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._tar.close()
        self._file.close()
        self._scratch.cleanup()
        self._part.unlink(missing_ok=True)

    def known(self, path: str, size: int) -> File | None:
        return None

    def add(self, source: Path, path: str) -> File:
        with source.open("rb") as read:
            entry = tarfile.TarInfo(path)
            entry.size = os.fstat(read.fileno()).st_size
            reading = Reading(read)
            self._tar.addfile(entry, reading)
        return reading.file(path)

    def scratch(self) -> Path:
        return Path(self._scratch.name)

    def finish(self, manifest: Manifest) -> None:
        content = manifest.dump()
        entry = tarfile.TarInfo(MANIFEST)
        entry.size = len(content)
        self._tar.addfile(entry, io.BytesIO(content))
        self._tar.close()
        self._file.close()
        sync(self._part)
        self._part.rename(self._path)
        sync(self._path.parent)


def private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)


def unpack(place: Path, folder: Path) -> None:
    """Raises BackupDamaged if the .tar is cut off, or is none."""
    try:
        with tarfile.open(place) as tar:
            tar.extractall(folder, filter="data")
    except (tarfile.TarError, EOFError, OSError) as error:
        raise BackupDamaged(f"{place} cannot be read as a whole .tar: {error}") from error

"""Write a backup as one .tar, and unpack it."""

from __future__ import annotations

import io
import os
import shutil
import tarfile
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Self

from app.storage.backup.errors import BackupDamaged, BackupFailed
from app.storage.backup.lock import open_locked
from app.storage.backup.manifest import MANIFEST, PART, File, Manifest, Reading
from app.storage.blobs import sync

NOT_WHOLE = (
    "{} is not a whole .tar of a backup: it is damaged, ends too early, or is something else. Take another copy."
)


class TarDestination:
    """A .tar that is always whole: it has its name only once all of it is written."""

    def __init__(self, path: Path) -> None:
        if path.exists():
            raise BackupFailed(f"{path} exists already: name another file, or a folder, which keeps several backups.")
        self._path, self._part = path, path.with_name(path.name + PART)
        self._scratch = path.with_name(f".{path.name}.scratch")

    def __enter__(self) -> Self:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        self._file = open_locked(self._part, self._path)
        self._file.truncate(0)
        # A killed backup has left one.
        shutil.rmtree(self._scratch, ignore_errors=True)
        self._scratch.mkdir(mode=0o700)
        self._tar = tarfile.open(fileobj=self._file, mode="w")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        # On a full disk there is no room for the end of it either.
        with suppress(OSError):
            self._tar.close()
        with suppress(OSError):
            self._file.close()
        shutil.rmtree(self._scratch)
        self._part.unlink(missing_ok=True)

    def known(self, path: str, size: int | None = None) -> File | None:
        return None

    def add(self, source: Path, path: str) -> File:
        with source.open("rb") as read:
            entry = tarfile.TarInfo(path)
            entry.size = os.fstat(read.fileno()).st_size
            reading = Reading(read)
            self._tar.addfile(entry, reading)
        return reading.file(path)

    def scratch(self) -> Path:
        return self._scratch

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


def unpack(place: Path, folder: Path) -> None:
    """Raises BackupDamaged if the .tar is cut off, or is no backup, and OSError."""
    try:
        with tarfile.open(place) as tar:
            tar.extractall(folder, filter="data")
    except (tarfile.TarError, EOFError) as error:
        raise BackupDamaged(NOT_WHOLE.format(place)) from error
    if not (folder / MANIFEST).exists():
        raise BackupDamaged(NOT_WHOLE.format(place))

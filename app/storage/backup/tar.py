"""Write a backup as one .tar, and unpack it."""

from __future__ import annotations

import io
import os
import shutil
import tarfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Self, cast

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


class TarFiles:
    """The files of a .tar, read where they are. Raises BackupDamaged if it is cut off, or is no backup, and OSError."""

    def __init__(self, place: Path) -> None:
        self._place = place
        with self._whole():
            self._tar = tarfile.open(place)  # noqa: SIM115
            self._members = {member.name: member for member in self._tar if member.isfile()}

    def measure(self, path: str) -> File | None:
        if path not in self._members:
            return None
        with self._whole(), self._open(path) as content:
            reading = Reading(content)
            while reading.read():
                pass
            return reading.file(path)

    def fetch(self, path: str, target: Path) -> File:
        if path not in self._members:
            raise BackupDamaged(NOT_WHOLE.format(self._place))
        with self._whole(), self._open(path) as content, target.open("wb") as written:
            reading = Reading(content)
            while part := reading.read():
                written.write(part)
            return reading.file(path)

    def _open(self, path: str) -> BinaryIO:
        content = self._tar.extractfile(self._members[path])
        assert content is not None
        return cast(BinaryIO, content)

    @contextmanager
    def _whole(self) -> Iterator[None]:
        try:
            yield
        except (tarfile.TarError, EOFError) as error:
            raise BackupDamaged(NOT_WHOLE.format(self._place)) from error


def unpack(place: Path, folder: Path) -> None:
    """Raises BackupDamaged if the .tar is cut off, or is no backup, and OSError."""
    try:
        with tarfile.open(place) as tar:
            tar.extractall(folder, filter="data")
    except (tarfile.TarError, EOFError) as error:
        raise BackupDamaged(NOT_WHOLE.format(place)) from error
    if not (folder / MANIFEST).exists():
        raise BackupDamaged(NOT_WHOLE.format(place))

"""Where a backup is written: a folder, which keeps several and shares their files, or one .tar."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Protocol, Self

from app.storage.backup.errors import BackupFailed
from app.storage.backup.manifest import FILES, MANIFEST, File, Manifest, Reading, hash_of, load_manifest, read_files
from app.storage.backup.tar import TarDestination
from app.storage.blobs import sync

BACKUPS = "backups"
PART = ".part"


class Destination(Protocol):
    """`path` is below the destination. What was added counts only once finish() has written the manifest."""

    def known(self, path: str, size: int) -> File | None: ...

    def add(self, source: Path, path: str) -> File: ...

    def scratch(self) -> Path: ...

    def finish(self, manifest: Manifest) -> None: ...


class FolderDestination:
    """`backups/NAME` holds the manifest, the list of files and the dump; `blobs` and `adapters` are shared by all."""

    def __init__(self, folder: Path, name: str) -> None:
        self._folder, self._own = folder, folder / BACKUPS / name

    def __enter__(self) -> Self:
        # Tenants' documents are for the operator alone.
        self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._lock = lock_folder(self._folder)
        newest = list_backups(self._folder)[-1:]
        self._known = {each.path: each for name in newest for each in read_files(self._folder / BACKUPS / name / FILES)}
        self._own.mkdir(parents=True, mode=0o700)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if not (self._own / MANIFEST).exists():
            remove_backup(self._own)
        self._lock.close()

    def known(self, path: str, size: int) -> File | None:
        """Return the file if an earlier backup has brought it: what has this path never changes."""
        known, there = self._known.get(path), self._folder / path
        return known if known and known.size == size and there.exists() and there.stat().st_size == size else None

    def add(self, source: Path, path: str) -> File:
        """Copy a file, or keep one of scratch(); it has its name only when it is whole and on disk."""
        if source.parent == self._own:
            size, sha256 = hash_of(source)
            sync(source)
            source.rename(self._own / path)
            return File(path, size, sha256)
        target = self._folder / path
        target.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        part = target.with_name(target.name + PART)
        with source.open("rb") as read, part.open("wb") as written:
            reading = Reading(read)
            while content := reading.read():
                written.write(content)
            written.flush()
            os.fsync(written.fileno())
        part.rename(target)
        sync(target.parent)
        return reading.file(path)

    def scratch(self) -> Path:
        return self._own

    def finish(self, manifest: Manifest) -> None:
        part = self._own / (MANIFEST + PART)
        part.write_bytes(manifest.dump())
        sync(part)
        part.rename(self._own / MANIFEST)
        sync(self._own)


@contextmanager
def open_destination(place: Path, name: str) -> Iterator[Destination]:
    """Open a .tar if it is called so, else a folder."""
    with TarDestination(place) if place.suffix == ".tar" else FolderDestination(place, name) as destination:
        yield destination


def lock_folder(folder: Path) -> BinaryIO:
    """Let one at a time write here. Raises BackupFailed."""
    lock = (folder / "lock").open("ab")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        lock.close()
        raise BackupFailed(f"Another backup is being written to {folder}: wait until it ends.") from None
    return lock


def list_backups(folder: Path) -> list[str]:
    """Return the names of the whole backups in a folder, oldest first."""
    return sorted(path.parent.name for path in (folder / BACKUPS).glob(f"*/{MANIFEST}"))


def read_manifest(folder: Path) -> Manifest:
    return load_manifest((folder / MANIFEST).read_bytes())


def remove_backup(own: Path) -> None:
    """Remove a backup's own files; those it shares stay."""
    for path in own.glob("*"):
        path.unlink()
    own.rmdir()


def keep_newest(folder: Path, count: int) -> int:
    """Remove all but the newest backups, and the files that only removed ones named; return how many backups went."""
    with lock_folder(folder):
        names = list_backups(folder)
        gone = names[: max(0, len(names) - count)]
        for name in gone:
            # First, so that what a crash leaves is no backup.
            (folder / BACKUPS / name / MANIFEST).unlink()
            remove_backup(folder / BACKUPS / name)
        if gone:
            _remove_needless(folder)
    return len(gone)


def _remove_needless(folder: Path) -> None:
    needed = {each.path for name in list_backups(folder) for each in read_files(folder / BACKUPS / name / FILES)}
    for kind in ("blobs", "adapters"):
        for path in (folder / kind).rglob("*"):
            if path.is_file() and str(path.relative_to(folder)) not in needed:
                path.unlink()

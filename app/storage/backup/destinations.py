"""Where a backup is written: a folder or object storage, which keep several and share their files, or one .tar."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Protocol, Self

from app.settings.object_storage import StorageUrl
from app.storage.backup.bucket import Bucket
from app.storage.backup.bucket_destination import BucketDestination, keep_newest_of
from app.storage.backup.errors import BackupFailed
from app.storage.backup.lock import open_locked
from app.storage.backup.manifest import KINDS, MANIFEST, PART, File, Manifest, copy_file, hash_of, listed_files
from app.storage.backup.places import BACKUPS, FOREIGN, Place
from app.storage.backup.tar import TarDestination
from app.storage.blobs import sync

LOCK = "lock"
NAME = re.compile(r"\d{4}-\d\d-\d\dT\d\d-\d\d-\d\d\.\d{6}Z")


class Destination(Protocol):
    """`path` is below the destination. What was added counts only once finish() has written the manifest."""

    def known(self, path: str, size: int | None = None) -> File | None: ...

    def add(self, source: Path, path: str) -> File: ...

    def scratch(self) -> Path: ...

    def finish(self, manifest: Manifest) -> None: ...


class FolderDestination:
    """`backups/NAME` holds the manifest, the list of files and the dump; `blobs` and `adapters` are shared by all."""

    def __init__(self, folder: Path, name: str) -> None:
        self._folder, self._own = folder, folder / BACKUPS / name
        self._filled: set[Path] = set()

    def __enter__(self) -> Self:
        # Tenants' documents are for the operator alone.
        self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._lock = open_locked(self._folder / LOCK, self._folder)
        try:
            _refuse_foreign(self._folder)
            remove_unfinished(self._folder)
            newest = list_backups(self._folder)[-1:]
            self._known = {each.path: each for name in newest for each in listed_files(self._folder / BACKUPS / name)}
            self._own.mkdir(parents=True, mode=0o700)
        except BaseException:
            self._lock.close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with self._lock:
            remove_unfinished(self._folder)

    def known(self, path: str, size: int | None = None) -> File | None:
        """Return the file if an earlier backup has brought it: what has this path never changes."""
        known, there = self._known.get(path), self._folder / path
        if known is None or size not in (None, known.size) or not there.exists():
            return None
        return known if there.stat().st_size == known.size else None

    def add(self, source: Path, path: str) -> File:
        """Copy a file, or keep one of scratch()."""
        if source.parent == self._own:
            size, sha256 = hash_of(source)
            sync(source)
            source.rename(self._own / path)
            return File(path, size, sha256)
        target = self._folder / path
        target.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._filled |= {target.parent, target.parent.parent}
        return copy_file(source, target, path)

    def scratch(self) -> Path:
        return self._own

    def finish(self, manifest: Manifest) -> None:
        for folder in (*self._filled, self._folder, self._own.parent):
            sync(folder)
        part = self._own / (MANIFEST + PART)
        part.write_bytes(manifest.dump())
        sync(part)
        part.rename(self._own / MANIFEST)
        sync(self._own)


@contextmanager
def open_destination(place: Place, name: str, home: Path) -> Iterator[Destination]:
    """Open object storage, a .tar if it is called so, else a folder."""
    if isinstance(place, StorageUrl):
        with Bucket(place) as bucket, BucketDestination(bucket, name, home) as remote:
            yield remote
        return
    with TarDestination(place) if place.suffix == ".tar" else FolderDestination(place, name) as destination:
        yield destination


def list_backups(folder: Path) -> list[str]:
    """Return the names of the whole backups in a folder, oldest first."""
    return sorted(path.parent.name for path in (folder / BACKUPS).glob(f"*/{MANIFEST}"))


def _refuse_foreign(folder: Path) -> None:
    """Raises BackupFailed where needless files could be another's, such as the home of an installation."""
    backups = any(NAME.fullmatch(path.name) for path in (folder / BACKUPS).glob("*"))
    if not backups and any(path.is_file() for kind in KINDS for path in (folder / kind).rglob("*")):
        raise BackupFailed(FOREIGN.format(folder))


def remove_unfinished(folder: Path) -> None:
    """Remove backups that failed or were killed, and the files that only they brought."""
    found = [path for path in (folder / BACKUPS).glob("*") if NAME.fullmatch(path.name)]
    unfinished = [path for path in found if not (path / MANIFEST).exists()]
    if unfinished:
        _remove_needless(folder)
    for own in unfinished:
        remove_backup(own)


def remove_backup(own: Path) -> None:
    """Remove a backup's own files; those it shares stay."""
    for path in own.glob("*"):
        path.unlink()
    own.rmdir()


def keep_newest(place: Place, count: int, home: Path) -> int:
    """Remove all but the newest backups, and the files that only removed ones named; return how many backups went.

    Raises BackupFailed if a folder does not let them go.
    """
    if isinstance(place, StorageUrl):
        with Bucket(place) as bucket:
            return keep_newest_of(bucket, count, home)
    try:
        return _keep_newest(place, count)
    except OSError as error:
        why = f"The backup is made, but older ones cannot be removed from {place}: {error.strerror}."
        raise BackupFailed(why) from None


def _keep_newest(folder: Path, count: int) -> int:
    with open_locked(folder / LOCK, folder):
        names = list_backups(folder)
        gone = names[: max(0, len(names) - count)]
        for name in gone:
            # First, so that what a crash leaves is no backup.
            (folder / BACKUPS / name / MANIFEST).unlink()
        if gone:
            _remove_needless(folder)
        for name in gone:
            remove_backup(folder / BACKUPS / name)
    return len(gone)


def _remove_needless(folder: Path) -> None:
    needed = {each.path for name in list_backups(folder) for each in listed_files(folder / BACKUPS / name)}
    for kind in KINDS:
        for path in (folder / kind).rglob("*"):
            if path.is_file() and str(path.relative_to(folder)) not in needed:
                path.unlink()

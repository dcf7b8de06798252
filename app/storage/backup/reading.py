"""Read a backup, wherever it lies, and check that it is whole."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Protocol

from app.storage.backup.bucket import Bucket
from app.storage.backup.bucket_destination import fetch_own, list_bucket
from app.storage.backup.destinations import list_backups
from app.storage.backup.errors import BackupDamaged, BackupFailed
from app.storage.backup.make import Tell
from app.storage.backup.manifest import (
    DUMP,
    FILES,
    MANIFEST,
    ROWS,
    File,
    Manifest,
    copy_file,
    hash_of,
    is_file,
    listed_files,
    read_manifest,
)
from app.storage.backup.places import BACKUPS, Place
from app.storage.backup.scratch import scratch_folder
from app.storage.backup.tar import TarFiles, unpack
from app.storage.blobs import is_full


class SharedFiles(Protocol):
    """The files that the backups of one place share."""

    def measure(self, path: str) -> File | None:
        """Read and hash the file; None if it is missing."""
        ...

    def fetch(self, path: str, target: Path) -> File:
        """Copy the file, and return what was read."""
        ...


class FolderFiles:
    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def measure(self, path: str) -> File | None:
        there = self._folder / path
        return File(path, *hash_of(there)) if there.is_file() else None

    def fetch(self, path: str, target: Path) -> File:
        return copy_file(self._folder / path, target, path)


class BucketFiles:
    def __init__(self, bucket: Bucket) -> None:
        self._bucket = bucket

    def measure(self, path: str) -> File | None:
        try:
            return self._bucket.copy(path)
        except FileNotFoundError:
            return None

    def fetch(self, path: str, target: Path) -> File:
        return self._bucket.fetch(path, target)


class Backup:
    """A backup that can be read: the folder `own` has its manifest and its dump, `shared` the files of all."""

    def __init__(self, own: Path, shared: SharedFiles, place: Place) -> None:
        if not (own / MANIFEST).exists():
            raise BackupFailed(f"{place} holds no backup: there is no {MANIFEST}.")
        self.own, self._shared = own, shared
        self.manifest: Manifest = read_manifest(own)
        self.database = own / (DUMP if self.manifest.export is None else ROWS)

    def files(self) -> Iterator[File]:
        yield from listed_files(self.own)

    def fetch(self, file: File, target: Path) -> None:
        """Raises BackupDamaged if it is not what check() has seen."""
        if self._shared.fetch(file.path, target) != file:
            raise BackupDamaged(f"The {self.manifest.kind} changes while it is restored: {file.path}.")

    def check(self, tell: Tell) -> None:
        """Read every file. Raises BackupDamaged, which names those that are missing or changed."""
        bad = list(self._changed(tell))
        if bad:
            shown = ", ".join(bad[:10]) + (f" and {len(bad) - 10} more" if len(bad) > 10 else "")
            raise BackupDamaged(f"The {self.manifest.kind} {self.manifest.name} is damaged: {shown}.")

    def _changed(self, tell: Tell) -> Iterator[str]:
        if not self._has_database():
            yield self.database.name
        if not is_file(self.own / FILES, self.manifest.files):
            yield FILES
            return
        done, total = 0, self.manifest.file_bytes
        for file in self.files():
            if self._shared.measure(file.path) != file:
                yield file.path
            done += file.size
            tell("check", done, total)

    def _has_database(self) -> bool:
        if self.database.exists():
            return is_file(self.database, self.manifest.database)
        # A .tar that is only checked keeps its dump.
        return self._shared.measure(self.database.name) == self.manifest.database


@contextmanager
def open_backup(place: Place, name: str | None, home: Path, *, only_check: bool = False) -> Iterator[Backup]:
    """Open the backup `name` of a folder or of object storage, the newest without a name, or a .tar.

    What has to be on this machine for that is in `home` meanwhile: all of a .tar, or its lists if it is only checked.
    """
    if isinstance(place, Path) and place.is_dir():
        chosen = _choose(place, list_backups(place), name)
        yield Backup(place / BACKUPS / chosen, FolderFiles(place), place)
        return
    with ExitStack() as held:
        try:
            if isinstance(place, Path):
                own = held.enter_context(scratch_folder(home))
                backup = Backup(own, _tar_files(place, own, only_check=only_check), place)
            else:
                bucket = held.enter_context(Bucket(place))
                chosen = _choose(place, list_bucket(bucket), name)
                own = fetch_own(bucket, chosen, held.enter_context(scratch_folder(home)))
                backup = Backup(own, BucketFiles(bucket), place)
        except OSError as error:
            reason = f"There is no room left in {home} for it." if is_full(error) else f"{error}."
            raise BackupFailed(f"{place} cannot be read: {reason}") from error
        yield backup


def _tar_files(place: Path, own: Path, *, only_check: bool) -> SharedFiles:
    if not only_check:
        unpack(place, own)
        return FolderFiles(own)
    files = TarFiles(place)
    for name in (MANIFEST, FILES):
        files.fetch(name, own / name)
    return files


def _choose(place: Place, names: list[str], name: str | None) -> str:
    if not names or name not in (None, *names):
        known = f"; there are {', '.join(names)}" if names else ""
        raise BackupFailed(f"{place} holds no backup{f' {name}' if name else ''}{known}.")
    return name or names[-1]

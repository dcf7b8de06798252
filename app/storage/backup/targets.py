"""Where a restore puts files: the folders of an installation, or its object storage."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from itertools import groupby
from pathlib import Path
from typing import Protocol

from app.settings import Settings
from app.settings.object_storage import storage_url
from app.storage.adapter_archives import save_version
from app.storage.backup.bucket import Bucket
from app.storage.backup.errors import BackupDamaged, BackupFailed
from app.storage.backup.make import Tell
from app.storage.backup.manifest import KINDS, File
from app.storage.backup.reading import Backup
from app.storage.backup.scratch import scratch_folder
from app.storage.blobs import sync
from app.storage.tenancy import TenantNumber

ADAPTERS = "adapters/"


class Target(Protocol):
    digests: dict[str, str]
    """Of the adapters that lie in object storage then, by the engines' names."""

    def filled(self) -> str | None:
        """Return what is not empty, but for the folders."""
        ...

    def copy(self, backup: Backup, tell: Tell) -> None: ...

    def has(self, path: str) -> bool: ...

    def remove_added(self) -> None:
        """Undo copy(), but for the folders."""

    def remove_replaced(self) -> None:
        """Remove what was there before copy(), but for the folders."""


def _in_its_place(path: str) -> str | None:
    return path


def copy_files(
    settings: Settings, backup: Backup, tell: Tell, place: Callable[[str], str | None] = _in_its_place
) -> None:
    """Put each file in its place, adapters closed to changes as they were published; `place` names another one, or None
    for a file that is left out."""
    done, published, filled = 0, set[Path](), set[Path]()
    for file in backup.files():
        path = place(file.path)
        if path is None:
            continue
        target = settings.home_path(path)
        is_adapter = file.path.startswith(ADAPTERS)
        # Engines may run as another user, and read adapters alone.
        target.parent.mkdir(parents=True, exist_ok=True, mode=0o755 if is_adapter else 0o700)
        backup.fetch(file, target)
        filled |= {target.parent, target.parent.parent}
        if is_adapter:
            target.chmod(0o444)
            published.add(target.parent)
        done += file.size
        tell("files", done, backup.manifest.file_bytes)
    for folder in filled:
        sync(folder)
    for folder in published:
        folder.chmod(0o555)


class FolderTarget:
    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self.digests: dict[str, str] = {}

    def filled(self) -> str | None:
        return None

    def copy(self, backup: Backup, tell: Tell) -> None:
        copy_files(self._settings, backup, tell)

    def has(self, path: str) -> bool:
        return self._settings.home_path(path).exists()

    def remove_added(self) -> None:
        pass

    def remove_replaced(self) -> None:
        pass


class BucketTarget:
    """Objects are added beside what is there. No row names what a killed restore has added: the hourly sweep removes
    it."""

    def __init__(self, bucket: Bucket, scratch: Path) -> None:
        self._bucket, self._scratch = bucket, scratch
        self._there = {each.path for kind in KINDS for each in bucket.list(kind)}
        self._added: set[str] = set()
        self._restored: set[str] = set()
        self.digests: dict[str, str] = {}

    def filled(self) -> str | None:
        return str(self._bucket.url) if self._there else None

    def copy(self, backup: Backup, tell: Tell) -> None:
        done = 0
        for folder, files in groupby(backup.files(), key=lambda file: file.path.rpartition("/")[0]):
            put = self._adapter if folder.startswith(ADAPTERS) else self._blobs
            for file in put(backup, folder, files):
                self._restored |= {folder, file.path}
                done += file.size
                tell("files", done, backup.manifest.file_bytes)

    def _blobs(self, backup: Backup, folder: str, files: Iterator[File]) -> Iterator[File]:
        copy = self._scratch / folder.replace("/", "-")
        for file in files:
            backup.fetch(file, copy)
            self._added.add(file.path)
            if self._bucket.put_file(copy, file.path) != file:
                raise BackupDamaged(f"The copy of {file.path} changes while it is restored.")
            yield file

    def _adapter(self, backup: Backup, folder: str, files: Iterator[File]) -> Iterator[File]:
        _, tenant, name = folder.split("/")
        copy = self._scratch / "adapters" / name
        copy.mkdir(parents=True)
        for file in files:
            backup.fetch(file, copy / Path(file.path).name)
            yield file
        saved = self._bucket.run(save_version(self._bucket.storage, TenantNumber(int(tenant)), name, copy))
        self._added.add(saved.path)
        self.digests[name] = saved.digest

    def has(self, path: str) -> bool:
        return path in self._restored

    def remove_added(self) -> None:
        with suppress(BackupFailed):
            self._bucket.remove(self._added - self._there)

    def remove_replaced(self) -> None:
        self._bucket.remove(self._there - self._added)


@contextmanager
def open_target(settings: Settings) -> Iterator[Target]:
    if settings.storage is None:
        yield FolderTarget(settings)
        return
    with Bucket(storage_url(settings.storage)) as bucket, scratch_folder(settings.home) as scratch:
        yield BucketTarget(bucket, scratch)

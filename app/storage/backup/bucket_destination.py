"""Write backups to object storage, laid out as in a folder."""

from __future__ import annotations

import io
import secrets
import threading
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from datetime import timedelta
from pathlib import Path
from types import TracebackType
from typing import Self

from app.storage.backup.bucket import Bucket
from app.storage.backup.errors import BackupFailed
from app.storage.backup.manifest import DUMP, FILES, KINDS, MANIFEST, File, Manifest, listed_files
from app.storage.backup.places import BACKUPS, FOREIGN
from app.storage.backup.scratch import scratch_folder

LOCKS = "locks"
RENEWED_S = 60
STALE = timedelta(minutes=5)


class BucketDestination:
    """The database's dump is made in `home` first."""

    def __init__(self, bucket: Bucket, name: str, home: Path) -> None:
        self._bucket, self._name = bucket, name
        self._home, self._opened = home, ExitStack()

    def __enter__(self) -> Self:
        with ExitStack() as opened:
            self._scratch = opened.enter_context(scratch_folder(self._home))
            opened.enter_context(locked(self._bucket))
            if not self._bucket.list(BACKUPS) and any(self._bucket.list(kind) for kind in KINDS):
                raise BackupFailed(FOREIGN.format(self._bucket.url))
            remove_unfinished(self._bucket, self._scratch)
            names = list_bucket(self._bucket)
            self._known = {each.path: each for name in names[-1:] for each in _files(self._bucket, name, self._scratch)}
            self._there = {each.path: each.size for kind in KINDS for each in self._bucket.list(kind)}
            self._opened = opened.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with self._opened:
            try:
                remove_unfinished(self._bucket, self._scratch)
            except BackupFailed:
                # What led here says what is wrong; the next backup removes it then.
                if error is None:
                    raise

    def known(self, path: str, size: int | None = None) -> File | None:
        """Return the file if an earlier backup has brought it: what has this path never changes."""
        known = self._known.get(path)
        return known if known and known.size == self._there.get(path) and size in (None, known.size) else None

    def add(self, source: Path, path: str) -> File:
        """Copy a file, or keep one of scratch()."""
        if source.parent == self._scratch:
            stored = self._bucket.put_file(source, f"{BACKUPS}/{self._name}/{path}")
            source.unlink()
            return File(path, stored.size, stored.sha256)
        return self._bucket.put_file(source, path)

    def scratch(self) -> Path:
        return self._scratch

    def finish(self, manifest: Manifest) -> None:
        self._bucket.put(io.BytesIO(manifest.dump()), f"{BACKUPS}/{self._name}/{MANIFEST}")


@contextmanager
def locked(bucket: Bucket) -> Iterator[None]:
    """Let one at a time write here; a killed one's lock ends by itself. Raises BackupFailed.

    Each leaves an object of its own and looks for others, since not every storage can write on a condition. The times
    are those of the storage's clock alone.
    """
    own, over = f"{LOCKS}/{secrets.token_hex(8)}", threading.Event()
    bucket.put(io.BytesIO(), own)
    renewing = threading.Thread(target=_renew, args=(bucket, own, over), daemon=True)
    renewing.start()
    try:
        taken = {each.path: each.modified for each in bucket.list(LOCKS)}
        now = taken.pop(own)
        stale = [path for path, modified in taken.items() if now - modified > STALE]
        if len(stale) < len(taken):
            raise BackupFailed(f"Another backup is being written to {bucket.url}, or was killed in the last 5 minutes.")
        bucket.remove(stale)
        yield
    finally:
        over.set()
        renewing.join()
        with suppress(BackupFailed):
            bucket.remove([own])


def _renew(bucket: Bucket, own: str, over: threading.Event) -> None:
    while not over.wait(RENEWED_S):
        with suppress(BackupFailed), Bucket(bucket.url) as renewing:
            renewing.put(io.BytesIO(), own)


def list_bucket(bucket: Bucket) -> list[str]:
    """Return the names of the whole backups, oldest first."""
    paths = (each.path.split("/") for each in bucket.list(BACKUPS))
    return sorted(path[1] for path in paths if path[2:] == [MANIFEST])


def remove_unfinished(bucket: Bucket, scratch: Path) -> None:
    """Remove backups that failed or were killed, and the files that only they brought."""
    whole = list_bucket(bucket)
    unfinished = [each.path for each in bucket.list(BACKUPS) if each.path.split("/")[1] not in whole]
    if unfinished:
        needed = {each.path for name in whole for each in _files(bucket, name, scratch)}
        bucket.remove([each.path for kind in KINDS for each in bucket.list(kind) if each.path not in needed])
        bucket.remove(unfinished)


def keep_newest_of(bucket: Bucket, count: int, home: Path) -> int:
    """Remove all but the newest backups, and the files that only removed ones named; return how many backups went."""
    with locked(bucket), scratch_folder(home) as scratch:
        names = list_bucket(bucket)
        gone = names[: max(0, len(names) - count)]
        # First, so that what a crash leaves is no backup.
        bucket.remove([f"{BACKUPS}/{name}/{MANIFEST}" for name in gone])
        remove_unfinished(bucket, scratch)
    return len(gone)


def fetch_own(bucket: Bucket, name: str, folder: Path, files: Iterable[str] = (MANIFEST, FILES, DUMP)) -> Path:
    """Fetch what a backup has of its own; return where it lies. What is missing is missing there too."""
    own = folder / name
    own.mkdir(exist_ok=True)
    for file in files:
        with suppress(FileNotFoundError):
            bucket.fetch(f"{BACKUPS}/{name}/{file}", own / file)
    return own


def _files(bucket: Bucket, name: str, scratch: Path) -> Iterator[File]:
    return listed_files(fetch_own(bucket, name, scratch, (MANIFEST, FILES)))

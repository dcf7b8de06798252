"""Where a backup reads uploaded files and adapters from: the data folder, or object storage."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from app.settings import Settings
from app.storage.backup.errors import BackupFailed
from app.storage.blobs import Blob, Blobs
from app.storage.object_blobs import open_blobs
from app.storage.object_storage import Damaged, StorageUnavailable, open_object_storage

BLOBS = "blobs/"


class Sources:
    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._blobs = open_blobs(settings, open_object_storage(settings.storage)) if settings.storage else None

    @contextmanager
    def local(self, path: str, size: int, sha256: str | None) -> Iterator[Path]:
        """Open a local file. Raises FileNotFoundError, also for an object that is not what was stored."""
        if self._blobs is None or sha256 is None or not path.startswith(BLOBS):
            yield self._settings.home_path(path)
            return
        blob = Blob(path.removeprefix(BLOBS), size, bytes.fromhex(sha256))
        with _local(self._blobs, blob) as copy:
            yield copy


@contextmanager
def _local(blobs: Blobs, blob: Blob) -> Iterator[Path]:
    opened = blobs.local(blob)
    with asyncio.Runner() as runner:
        try:
            path = runner.run(opened.__aenter__())
        except Damaged as error:
            raise FileNotFoundError(error.detail) from error
        except StorageUnavailable as error:
            raise BackupFailed(f"{error.reason} The backup is not kept.") from error
        try:
            yield path
        finally:
            runner.run(opened.__aexit__(None, None, None))

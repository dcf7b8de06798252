"""The files of an installation as a backup reads them: from its folders, or from its object storage."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from app.settings import Settings
from app.settings.object_storage import storage_url
from app.storage.adapter_archives import AdapterArchive
from app.storage.backup.bucket import Bucket
from app.storage.backup.point import AdapterFolder
from app.storage.backup.scratch import scratch_folder
from app.storage.tenancy import TenantNumber


class InstalledFiles:
    """`scratch` is where a file of object storage is while the block that asked for it uses it."""

    def __init__(self, settings: Settings, bucket: Bucket | None, scratch: Path) -> None:
        self._settings, self._bucket, self._scratch = settings, bucket, scratch

    @contextmanager
    def blob(self, path: str) -> Iterator[Path]:
        """Raises FileNotFoundError."""
        copy = self._scratch / "blob"
        if self._bucket is not None and self._fetch(path, copy):
            yield copy
        else:
            # `storage move` may not have come to it yet.
            yield self._settings.home_path(path)

    def _fetch(self, path: str, copy: Path) -> bool:
        assert self._bucket is not None
        try:
            self._bucket.fetch(path, copy)
        except FileNotFoundError:
            return False
        return True

    @contextmanager
    def adapter(self, folder: AdapterFolder) -> Iterator[Path]:
        """Raises FileNotFoundError, and Damaged if it is not what was stored."""
        if folder.digest is None:
            there = self._settings.home_path(folder.path)
            if not there.is_dir():
                raise FileNotFoundError(folder.path)
            yield there
        elif self._bucket is None:
            raise FileNotFoundError(folder.path)
        else:
            unpacked = self._scratch / "adapter"
            unpacked.mkdir()
            _, tenant, name = folder.path.split("/")
            archive = AdapterArchive(self._bucket.storage, TenantNumber(int(tenant)), name, folder.digest)
            try:
                self._bucket.run(archive.unpack(unpacked))
                yield unpacked
            finally:
                shutil.rmtree(unpacked)


@contextmanager
def open_installed(settings: Settings) -> Iterator[InstalledFiles]:
    if settings.storage is None:
        yield InstalledFiles(settings, None, settings.home)
        return
    with Bucket(storage_url(settings.storage)) as bucket, scratch_folder(settings.home) as scratch:
        yield InstalledFiles(settings, bucket, scratch)

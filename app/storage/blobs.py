"""Keep uploaded files as they came: one file for each upload, one folder for each tenant."""

from __future__ import annotations

import asyncio
import errno
import hashlib
import os
import secrets
import shutil
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from app.errors import Unavailable
from app.storage.tenancy import TenantNumber

READ_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class Blob:
    """`path` is relative to the blob folder."""

    path: str
    size: int
    sha256: bytes


class Blobs:
    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def locate(self, path: str) -> Path:
        return self._folder / path

    async def save(self, tenant: TenantNumber, content: BinaryIO) -> Blob:
        """Write and hash `content`; it is on disk (fsync) when this returns. Raises Unavailable if the disk is full."""
        return await asyncio.to_thread(self._save, tenant, content)

    async def remove(self, paths: Iterable[str]) -> None:
        """Remove files that no row of the database has ever named, or that `removals` lists. A path that ends with a
        slash is a folder."""
        await asyncio.to_thread(self._remove, list(paths))

    def _remove(self, paths: list[str]) -> None:
        for path in paths:
            if path.endswith("/"):
                shutil.rmtree(self.locate(path), ignore_errors=True)
            else:
                self.locate(path).unlink(missing_ok=True)

    def _save(self, tenant: TenantNumber, content: BinaryIO) -> Blob:
        path = f"{tenant}/{secrets.token_hex(16)}"
        target = self.locate(path)
        target.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        digest, size = hashlib.sha256(), 0
        try:
            with target.open("xb") as file:
                while part := content.read(READ_BYTES):
                    digest.update(part)
                    size += file.write(part)
                file.flush()
                os.fsync(file.fileno())
            sync(target.parent)
            sync(self._folder)
        except BaseException as error:
            target.unlink(missing_ok=True)
            if is_full(error):
                raise no_room() from None
            raise
        return Blob(path, size, digest.digest())


def is_full(error: BaseException) -> bool:
    return isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT)


def no_room() -> Unavailable:
    return Unavailable("The service has no disk space left for uploads. Its operator must free some.", retry_after_s=60)


def sync(path: Path) -> None:
    """Sync a file, or the entries of a folder, so that it survives a loss of power."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)

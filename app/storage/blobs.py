"""Keep uploaded files as they came: one file for each upload, one folder for each tenant."""

from __future__ import annotations

import asyncio
import errno
import hashlib
import os
import secrets
import shutil
import time
from collections.abc import AsyncIterator, Iterable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Protocol

from app.errors import Unavailable
from app.storage.tenancy import TenantNumber

READ_BYTES = 1 << 20
# So many files are looked for in the database in one statement.
LOOKED_UP_AT_ONCE = 10_000


@dataclass(frozen=True, slots=True)
class Blob:
    """`path` is relative to the blob folder."""

    path: str
    size: int
    sha256: bytes


class Blobs(Protocol):
    """In a folder, or in object storage (app/storage/object_blobs.py). What is kept is never changed."""

    async def save(self, tenant: TenantNumber, content: BinaryIO) -> Blob:
        """Write and hash `content`; it survives a loss of power once this returns. Raises Unavailable."""
        ...

    def read(self, path: str, start: int = 0, end: int | None = None) -> AsyncIterator[bytes]:
        """Yield the bytes from `start` to before `end`. Raises FileNotFoundError, Unavailable."""
        ...

    def local(self, blob: Blob) -> AbstractAsyncContextManager[Path]:
        """Open a local file with its content, to be read only. Raises FileNotFoundError, Unavailable."""
        ...

    async def remove(self, paths: Iterable[str]) -> None:
        """Remove what `removals` lists. A path that ends with a slash is a folder. Raises Unavailable."""

    async def discard(self, paths: Iterable[str]) -> None:
        """Remove files that no row has ever named, if that can be done now; else the hourly sweep does it."""

    def list_older(self, than_s: float) -> AsyncIterator[str]:
        """Yield the paths of all files that were written so long ago, a tenant's together."""
        ...


class FolderBlobs:
    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def locate(self, path: str) -> Path:
        return self._folder / path

    async def save(self, tenant: TenantNumber, content: BinaryIO) -> Blob:
        return await asyncio.to_thread(self._save, tenant, content)

    async def read(self, path: str, start: int = 0, end: int | None = None) -> AsyncIterator[bytes]:
        file = await asyncio.to_thread(self.locate(path).open, "rb")
        with file:
            file.seek(start)
            while end is None or start < end:
                part = await asyncio.to_thread(file.read, READ_BYTES if end is None else min(READ_BYTES, end - start))
                if not part:
                    return
                start += len(part)
                yield part

    @asynccontextmanager
    async def local(self, blob: Blob) -> AsyncIterator[Path]:
        yield self.locate(blob.path)

    async def remove(self, paths: Iterable[str]) -> None:
        await asyncio.to_thread(self._remove, list(paths))

    async def discard(self, paths: Iterable[str]) -> None:
        await self.remove(paths)

    async def list_older(self, than_s: float) -> AsyncIterator[str]:
        for path in await asyncio.to_thread(lambda: list(self._older(time.time() - than_s))):
            yield path

    def _older(self, than: float) -> Iterator[str]:
        for tenant in self._folder.glob("*"):
            if tenant.name.isdecimal() and tenant.is_dir():
                yield from (f"{tenant.name}/{blob.name}" for blob in tenant.iterdir() if written_at(blob) < than)

    def _remove(self, paths: list[str]) -> None:
        for path in paths:
            if path.endswith("/"):
                with suppress(FileNotFoundError):
                    shutil.rmtree(self.locate(path))
            else:
                self.locate(path).unlink(missing_ok=True)

    def _save(self, tenant: TenantNumber, content: BinaryIO) -> Blob:
        path = new_path(tenant)
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


async def by_tenant(
    paths: AsyncIterator[str], *, at_once: int = LOOKED_UP_AT_ONCE
) -> AsyncIterator[tuple[TenantNumber, list[str]]]:
    """Yield paths that come one after the other, each time of one tenant and `at_once` at most."""
    some: list[str] = []
    async for path in paths:
        if some and (_tenant_of(path) != _tenant_of(some[0]) or len(some) == at_once):
            yield _tenant_of(some[0]), some
            some = []
        some.append(path)
    if some:
        yield _tenant_of(some[0]), some


def _tenant_of(path: str) -> TenantNumber:
    return TenantNumber(int(path.partition("/")[0]))


def new_path(tenant: TenantNumber) -> str:
    return f"{tenant}/{secrets.token_hex(16)}"


def written_at(path: Path) -> float:
    """Return when a file or folder was written: never, if it is gone by now."""
    try:
        return path.stat().st_mtime
    except FileNotFoundError:
        return float("inf")


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

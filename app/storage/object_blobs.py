"""Keep uploaded files in object storage. Those of the time before are still read from the folder."""

from __future__ import annotations

import asyncio
import logging
import secrets
import time
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import BinaryIO

from app.errors import NotConfigured
from app.settings import Settings
from app.storage.blobs import Blob, Blobs, FolderBlobs, is_full, new_path, no_room
from app.storage.object_storage import (
    ObjectStorage,
    StorageUnavailable,
    Unreachable,
    WrongBucket,
    WrongCredentials,
)
from app.storage.tenancy import TenantNumber

log = logging.getLogger("kyujang.storage")

FOLDER = "blobs"
CHECK_S = 10
DISCARD_S = 5
# A copy is made to be read at once, within KYUJANG_LOAD_TIMEOUT_S or the time of an adapter's check.
SCRATCH_KEPT_S = 3600
NO_WAY = (
    "Uploads fail and nothing is ingested until then; questions are answered. Is the address right? In containers "
    "worker and migrate have no way out: add deploy/object-storage.yml, or put the storage on the network 'backend'."
)


class ObjectBlobs:
    def __init__(self, storage: ObjectStorage, before: FolderBlobs, scratch: Path) -> None:
        self._storage = storage
        self._before = before
        self._scratch = scratch

    async def save(self, tenant: TenantNumber, content: BinaryIO) -> Blob:
        path = new_path(tenant)
        try:
            stored = await self._storage.put(key(path), content)
        except BaseException as error:
            await self.discard([path])
            if isinstance(error, StorageUnavailable):
                log.error("an upload could not be stored", extra={"cause": error.reason})
            raise
        return Blob(path, stored.size, stored.sha256)

    async def read(self, path: str, start: int = 0, end: int | None = None) -> AsyncIterator[bytes]:
        places = (self._storage.read(key(path), start, end), self._before.read(path, start, end))
        # `storage move` may take it from the folder between the two looks, hence another one.
        for parts in (*places, self._storage.read(key(path), start, end)):
            with suppress(FileNotFoundError):
                async for part in parts:
                    yield part
                return
        raise FileNotFoundError(path)

    @asynccontextmanager
    async def local(self, blob: Blob) -> AsyncIterator[Path]:
        copy = self._scratch / secrets.token_hex(16)
        try:
            yield await self._fetched(blob, copy)
        finally:
            copy.unlink(missing_ok=True)

    async def _fetched(self, blob: Blob, copy: Path) -> Path:
        await asyncio.to_thread(self._scratch.mkdir, parents=True, exist_ok=True, mode=0o700)
        # `storage move` may take it from the folder between the two looks, hence another one.
        for _ in range(2):
            try:
                await self._storage.fetch(key(blob.path), copy, blob.sha256)
                return copy
            except FileNotFoundError:
                before = self._before.locate(blob.path)
                if await asyncio.to_thread(before.exists):
                    return before
            except OSError as error:
                raise (no_room() if is_full(error) else error) from None
        raise FileNotFoundError(blob.path)

    async def remove(self, paths: Iterable[str]) -> None:
        paths = list(paths)
        await self._storage.remove([key(path) for path in paths if not path.endswith("/")])
        for path in paths:
            if path.endswith("/"):
                await self._storage.remove_folder(key(path))
        await self._before.remove(paths)

    async def discard(self, paths: Iterable[str]) -> None:
        try:
            async with asyncio.timeout(DISCARD_S):
                await self.remove(paths)
        except (StorageUnavailable, TimeoutError):
            log.info("files are left to the hourly sweep")

    async def list_older(self, than_s: float) -> AsyncIterator[str]:
        await asyncio.to_thread(self._sweep_scratch)
        than = datetime.now(UTC) - timedelta(seconds=than_s)
        async for listed in self._storage.list(FOLDER):
            path = listed.path.removeprefix(f"{FOLDER}/")
            # Something else may lie in the bucket.
            if listed.modified < than and path.partition("/")[0].isdecimal():
                yield path
        async for path in self._before.list_older(than_s):
            yield path

    def _sweep_scratch(self) -> None:
        """Remove copies that a killed process has left."""
        for copy in self._scratch.glob("*"):
            if time.time() - copy.stat().st_mtime > SCRATCH_KEPT_S:
                copy.unlink(missing_ok=True)


def open_blobs(settings: Settings, storage: ObjectStorage | None) -> Blobs:
    folder = FolderBlobs(settings.blobs)
    return folder if storage is None else ObjectBlobs(storage, folder, settings.scratch)


async def check_at_start(storage: ObjectStorage) -> None:
    """Raise NotConfigured if it can never work so. If it is out of reach now, log that: questions do without it."""
    try:
        async with asyncio.timeout(CHECK_S):
            await storage.check()
    except (WrongBucket, WrongCredentials) as error:
        raise NotConfigured(f"KYUJANG_STORAGE: {error.reason}") from None
    except (Unreachable, TimeoutError) as error:
        log.error("KYUJANG_STORAGE is out of reach. %s", NO_WAY, extra={"cause": str(error) or "no answer in time"})


def key(path: str) -> str:
    return f"{FOLDER}/{path}"

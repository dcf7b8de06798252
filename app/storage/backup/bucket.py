"""Object storage for commands, which wait for each step and say what is wrong with it."""

from __future__ import annotations

import asyncio
import hashlib
import io
import os
from collections.abc import Callable, Coroutine, Iterable, Sequence
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO, Self, TypeVar

from app.settings.object_storage import StorageUrl
from app.storage.backup.errors import BackupFailed
from app.storage.backup.manifest import PART, File
from app.storage.object_storage import Listed, ObjectStorage, StorageUnavailable

T = TypeVar("T")

MORE_TRIES = 2


class Bucket:
    """All methods raise BackupFailed if the storage cannot be used."""

    def __init__(self, url: StorageUrl) -> None:
        self.url = url
        self.storage = ObjectStorage(url)
        self._runner = asyncio.Runner()

    def __enter__(self) -> Self:
        self._runner.__enter__()
        self._repeated(self.storage.check)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._runner.__exit__(kind, error, trace)

    def run(self, coroutine: Coroutine[Any, Any, T]) -> T:
        try:
            return self._runner.run(coroutine)
        except StorageUnavailable as error:
            raise BackupFailed(error.reason) from error

    def _repeated(self, step: Callable[[], Coroutine[Any, Any, T]]) -> T:
        """Run what may be run again: the client itself does not repeat an answer that is cut off."""
        for _ in range(MORE_TRIES):
            with suppress(BackupFailed):
                return self.run(step())
        return self.run(step())

    def put(self, content: BinaryIO, path: str) -> File:
        stored = self.run(self.storage.put(path, content))
        return File(path, stored.size, stored.sha256.hex())

    def put_file(self, source: Path, path: str) -> File:
        with source.open("rb") as content:
            return self.put(content, path)

    def read(self, path: str) -> bytes:
        """Return a small object. Raises FileNotFoundError."""
        content = io.BytesIO()
        self.copy(path, content)
        return content.getvalue()

    def fetch(self, path: str, target: Path) -> File:
        """Write the object to a file, which is there only when it is whole. Raises FileNotFoundError."""
        part = target.with_name(target.name + PART)
        try:
            with part.open("wb") as file:
                fetched = self.copy(path, file)
                file.flush()
                os.fsync(file.fileno())
            part.rename(target)
        finally:
            part.unlink(missing_ok=True)
        return fetched

    def copy(self, path: str, target: BinaryIO | None = None) -> File:
        """Read the object to its end, hash it, and write it to `target`. Raises FileNotFoundError."""
        return self.run(self._copy(path, target))

    async def _copy(self, path: str, target: BinaryIO | None) -> File:
        digest, size = hashlib.sha256(), 0
        async for part in self.storage.read(path):
            digest.update(part)
            size += len(part)
            if target is not None:
                target.write(part)
        return File(path, size, digest.hexdigest())

    def remove(self, paths: Iterable[str]) -> None:
        gone = [*paths]
        self._repeated(lambda: self.storage.remove(gone))

    def list(self, folder: str) -> Sequence[Listed]:
        return self._repeated(lambda: self._list(folder))

    async def _list(self, folder: str) -> Sequence[Listed]:
        return [each async for each in self.storage.list(folder)]

"""Keep files in object storage: S3 and what speaks its language, Google's and Azure's. The only place with a client.

What is read and written passes in parts. Requests that fail by 5xx, by a broken connection or by a timeout are repeated
with growing pauses for RETRY_S at most; the rest of a file that breaks off is asked for again.
"""

from __future__ import annotations

import asyncio
import hashlib
import re
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

import obstore
from obstore.exceptions import BaseError, PermissionDeniedError, UnauthenticatedError
from obstore.store import AzureStore, GCSStore, S3Store

from app.errors import KyujangError, NotConfigured, Unavailable
from app.settings.object_storage import Scheme, StorageUrl, endpoint, refuse_missing_credentials, storage_url

if TYPE_CHECKING:
    from obstore import GetOptions
    from obstore.store import ClientConfig, ObjectStore, RetryConfig

# S3 takes 10,000 parts of an upload, so files of up to 78 GiB.
PART_BYTES = 8 << 20
PARTS_AT_ONCE = 2
READ_BYTES = 1 << 20
REMOVED_AT_ONCE = 1000
RETRY_S = 60
STORES: dict[Scheme, type[S3Store | GCSStore | AzureStore]] = {"s3": S3Store, "gs": GCSStore, "az": AzureStore}

CODE = re.compile(r"<Code>(\w+)</Code>")
STATUS = re.compile(r"status code: (\d{3})")
KIND = re.compile(r"HttpError \{\s*kind: (\w+)")
KINDS = {"Connect": "no connection", "Timeout": "no answer in time", "Interrupted": "the connection broke off"}
NO_BUCKET = ("NoSuchBucket", "ContainerNotFound", "PermanentRedirect", "InvalidBucketName", "ResourceNotFound")
NO_ACCESS = ("AuthorizationHeaderMalformed", "AuthenticationFailed", "InvalidAccessKeyId", "ExpiredToken")


class StorageUnavailable(Unavailable):
    """The object storage for uploaded files does not answer. Questions and searches keep working."""

    code = "storage_unavailable"

    def __init__(self, reason: str) -> None:
        super().__init__(StorageUnavailable.__doc__)
        self.reason = reason
        """For the operator, without credentials."""

    def __str__(self) -> str:
        return self.reason


class WrongBucket(StorageUnavailable):
    pass


class WrongCredentials(StorageUnavailable):
    pass


class Unreachable(StorageUnavailable):
    pass


class Damaged(KyujangError):
    """A file in the object storage is not what was stored there."""


@dataclass(frozen=True, slots=True)
class Stored:
    size: int
    sha256: bytes


@dataclass(frozen=True, slots=True)
class Listed:
    """`path` is below the prefix of the URL."""

    path: str
    size: int
    modified: datetime


class ObjectStorage:
    """All methods raise StorageUnavailable."""

    def __init__(self, url: StorageUrl, *, retry_s: float = RETRY_S) -> None:
        """Open nothing yet. Raises NotConfigured without credentials."""
        refuse_missing_credentials(url)
        self.url = url
        self._endpoint = endpoint(url)
        self._store = _open(url, self._endpoint, retry_s)

    async def check(self) -> None:
        """Find out whether the bucket is there and open to us."""
        with self._typed():
            async for _ in obstore.list(self._store, "kyujang-check", chunk_size=1):
                break

    async def put(self, path: str, content: BinaryIO) -> Stored:
        """Write and hash `content`; it is stored when this returns. Once it raises, remove `path`."""
        digest, size = hashlib.sha256(), 0
        failed: list[BaseException] = []

        def read() -> bytes:
            nonlocal size
            part = content.read(PART_BYTES)
            digest.update(part)
            size += len(part)
            return part

        async def parts(first: bytes) -> AsyncIterator[bytes]:
            part = first
            while part:
                yield part
                try:
                    part = await asyncio.to_thread(read)
                except BaseException as error:
                    failed.append(error)
                    raise

        first = await asyncio.to_thread(read)
        try:
            with self._typed():
                if len(first) < PART_BYTES:
                    await obstore.put_async(self._store, path, first, use_multipart=False)
                else:
                    await obstore.put_async(
                        self._store, path, parts(first), chunk_size=PART_BYTES, max_concurrency=PARTS_AT_ONCE
                    )
        except BaseException:
            if failed:
                raise failed[0] from None
            raise
        return Stored(size, digest.digest())

    async def size(self, path: str) -> int:
        """Raises FileNotFoundError."""
        with self._typed():
            return (await obstore.head_async(self._store, path))["size"]

    async def read(self, path: str, start: int = 0, end: int | None = None) -> AsyncIterator[bytes]:
        """Yield the bytes from `start` to before `end`. Raises FileNotFoundError."""
        if end is not None and end <= start:
            return
        part_of_it: GetOptions = {"range": {"offset": start} if end is None else (start, end)}
        with self._typed():
            found = await obstore.get_async(self._store, path, options=part_of_it if start or end else None)
            async for part in found.stream(min_chunk_size=READ_BYTES):
                yield bytes(part)

    async def fetch(self, path: str, target: Path, sha256: bytes) -> None:
        """Write the object to a new file. Raises FileNotFoundError, and Damaged if it is not what was stored."""
        digest = hashlib.sha256()
        try:
            with target.open("xb") as file:
                async for part in self.read(path):
                    digest.update(part)
                    await asyncio.to_thread(file.write, part)
            if digest.digest() != sha256:
                raise Damaged(f"{self.url}/{path} is not what was stored: its SHA-256 is another one.")
        except BaseException:
            await asyncio.to_thread(target.unlink, missing_ok=True)
            raise

    async def list(self, prefix: str = "") -> AsyncIterator[Listed]:
        """Yield the objects below a folder, in no order."""
        with self._typed():
            async for some in obstore.list(self._store, prefix or None, chunk_size=REMOVED_AT_ONCE):
                for each in some:
                    yield Listed(each["path"], each["size"], each["last_modified"])

    async def remove(self, paths: Sequence[str]) -> None:
        """Remove objects; those that are not there count as removed."""
        for first in range(0, len(paths), REMOVED_AT_ONCE):
            some = paths[first : first + REMOVED_AT_ONCE]
            try:
                with self._typed():
                    await obstore.delete_async(self._store, some)
            except FileNotFoundError:
                # Google and Azure say so, and may have left the others.
                for path in some:
                    with suppress(FileNotFoundError), self._typed():
                        await obstore.delete_async(self._store, path)

    async def remove_folder(self, prefix: str) -> None:
        """Remove all objects below a folder."""
        await self.remove([each.path async for each in self.list(prefix)])

    @contextmanager
    def _typed(self) -> Iterator[None]:
        try:
            yield
        except (BaseError, FileNotFoundError) as error:
            raise self._explained(error) from None

    def _explained(self, error: Exception) -> Exception:
        """Return what happened, without the server's words: they may repeat the access key."""
        text = str(error)
        code, status = CODE.search(text), STATUS.search(text)
        said = " ".join(found[1] for found in (status, code) if found)
        if (code and code[1] in NO_BUCKET) or "bucket does not exist" in text:
            return WrongBucket(f"{self.url}: there is no such bucket in this place or region ({said}).")
        if isinstance(error, FileNotFoundError):
            return FileNotFoundError(f"{self.url}: it has no such object.")
        refused = isinstance(error, PermissionDeniedError | UnauthenticatedError) or said[:3] in ("401", "403")
        if refused or (code and code[1] in NO_ACCESS):
            return WrongCredentials(f"{self.url}: these credentials are not let in, or may not do this ({said}).")
        kind = KIND.search(text)
        cause = said or KINDS.get(kind[1] if kind else "", type(error).__name__)
        where = f" at {self._endpoint.rpartition('@')[2]}" if self._endpoint else ""
        return Unreachable(f"{self.url}{where} does not answer as it should ({cause}).")


def open_object_storage(url: str) -> ObjectStorage:
    """Open nothing yet. Raises NotConfigured for a URL that cannot be, and without credentials."""
    return ObjectStorage(storage_url(url))


def _open(url: StorageUrl, endpoint: str | None, retry_s: float) -> ObjectStore:
    retry: RetryConfig = {
        "max_retries": 20,
        "retry_timeout": timedelta(seconds=retry_s),
        "backoff": {"init_backoff": timedelta(milliseconds=100), "max_backoff": timedelta(seconds=5)},
    }
    client: ClientConfig = {
        "allow_http": bool(endpoint and endpoint.startswith("http://")),
        "connect_timeout": "5s",
        # Without an end for the whole: a large file takes its time, and a silent server is noticed all the same.
        "read_timeout": "30s",
        "timeout": "12h",
    }
    try:
        return STORES[url.scheme](url.bucket, prefix=url.prefix or None, client_options=client, retry_config=retry)
    except (BaseError, FileNotFoundError, ValueError) as error:
        # Without its words, which may repeat what it cannot read.
        raise NotConfigured(
            f"{url}: its credentials or its endpoint cannot be read ({type(error).__name__})."
        ) from None

"""Places for backups, as tests look at them and damage them."""

from __future__ import annotations

import io
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from app.settings.object_storage import StorageUrl
from app.storage.backup.bucket import Bucket
from app.storage.backup.destinations import Place


def as_command(function, *arguments, **options):
    """As a command runs it, which has no event loop."""
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(function, *arguments, **options).result()


def in_bucket(url, method, *arguments):
    def call():
        with Bucket(url) as bucket:
            return getattr(bucket, method)(*arguments)

    return as_command(call)


def paths(place: Place) -> set[str]:
    """Of all files there, but a folder's lock."""
    if isinstance(place, StorageUrl):
        return {each.path for each in in_bucket(place, "list", "")}
    return {str(each.relative_to(place)) for each in place.rglob("*") if each.is_file()} - {"lock"}


def read(place: Place, path: str) -> bytes:
    return in_bucket(place, "read", path) if isinstance(place, StorageUrl) else (place / path).read_bytes()


def write(place: Place, path: str, content: bytes) -> None:
    if isinstance(place, StorageUrl):
        in_bucket(place, "put", io.BytesIO(content), path)
    else:
        Path(place, path).write_bytes(content)

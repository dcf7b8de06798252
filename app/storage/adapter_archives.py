"""Keep adapters in object storage: the files of a version as one .tar, which its own SHA-256 names.

An engine gets it by that digest, so that what it loads are the bytes that were checked.
"""

from __future__ import annotations

import asyncio
import hashlib
import tempfile
from collections.abc import AsyncIterator
from dataclasses import dataclass
from io import BufferedRandom
from pathlib import Path

from app.storage.object_storage import Damaged, ObjectStorage
from app.storage.peft_folder import pack_version, unpack_version
from app.storage.tenancy import TenantNumber

ARCHIVES = "adapters"


def archive_path(tenant: TenantNumber, engine_name: str, digest: str) -> str:
    """Return where it lies; the triggers of `removals` make the same."""
    return f"{ARCHIVES}/{tenant}/{engine_name}/{digest}.tar"


def is_archive(path: str) -> bool:
    return path.startswith(f"{ARCHIVES}/")


@dataclass(frozen=True, slots=True)
class AdapterArchive:
    storage: ObjectStorage
    tenant: TenantNumber
    engine_name: str
    digest: str

    @property
    def path(self) -> str:
        return archive_path(self.tenant, self.engine_name, self.digest)

    async def read(self) -> AsyncIterator[bytes]:
        """Yield its bytes. Raises StorageUnavailable, and Damaged at the end if they are not what was stored."""
        digest = hashlib.sha256()
        try:
            async for part in self.storage.read(self.path):
                digest.update(part)
                yield part
        except FileNotFoundError:
            raise self._missing() from None
        if digest.hexdigest() != self.digest:
            raise Damaged(f"{self.storage.url}/{self.path} is not what was stored: its SHA-256 is another one.")

    async def unpack(self, folder: Path) -> None:
        """Write the version's files to the folder. Raises StorageUnavailable or Damaged."""
        with tempfile.TemporaryDirectory(dir=folder.parent) as scratch:
            fetched = Path(scratch) / "version.tar"
            try:
                await self.storage.fetch(self.path, fetched, bytes.fromhex(self.digest))
            except FileNotFoundError:
                raise self._missing() from None
            await asyncio.to_thread(_unpack, fetched, folder)

    def _missing(self) -> Damaged:
        return Damaged(f"{self.storage.url}/{self.path} is missing.")


async def save_version(storage: ObjectStorage, tenant: TenantNumber, engine_name: str, folder: Path) -> AdapterArchive:
    """Store what is in the folder; it is there when this returns. Raises StorageUnavailable."""
    with tempfile.TemporaryFile(dir=folder.parent) as packed:
        digest = await asyncio.to_thread(_pack, folder, packed)
        archive = AdapterArchive(storage, tenant, engine_name, digest)
        await storage.put(archive.path, packed)
    return archive


def _pack(folder: Path, packed: BufferedRandom) -> str:
    pack_version(folder, packed)
    packed.seek(0)
    digest = hashlib.file_digest(packed, "sha256").hexdigest()
    packed.seek(0)
    return digest


def _unpack(fetched: Path, folder: Path) -> None:
    with fetched.open("rb") as packed:
        unpack_version(packed, folder)

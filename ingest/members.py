"""Takes out of a document what it holds: each attachment, and each member of an archive, is stored as an upload."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import asdict
from tempfile import TemporaryFile
from typing import Any

from app import libreoffice
from app.errors import DocumentError
from app.sandbox.forked import ParentDied
from app.sandbox.limits import Limits
from app.sandbox.profile import Profile
from app.sandbox.subprocesses import ChildProcess, OutputError, open_child
from app.services import Services
from app.storage import members
from app.storage.blobs import Blob
from app.storage.document_ids import clean_id
from app.storage.jobs import Upload
from app.storage.members import Held, member_id
from app.storage.postings import OtherScheme
from app.storage.processing import WITHOUT_LIBREOFFICE
from app.storage.spaces import OtherSpace
from ingest.jobs.queue import ClaimedDocument, LeaseLost
from ingest.loading.conversion import FORMATS
from ingest.loading.endings import crashed, explain
from ingest.loading.formats import PLAIN
from ingest.loading.load import Loaded
from ingest.loading.notices import bounded
from ingest.loading.parsed import Notice, Room

# Of documents inside documents.
MAX_DEPTH = 3
TOO_DEEP = f"What this holds lies more than {MAX_DEPTH} files deep and is not read. Unpack it and send that."
IN_USE = "A document that was sent by itself has the id {!r}. Delete that, and send this again."
NO_ID = "Its name cannot be part of an id. Rename it."


@asynccontextmanager
async def holding(services: Services, claim: ClaimedDocument, loaded: Loaded | None) -> AsyncIterator[Held | None]:
    """Store what the document holds, for a block that accepts it; None leaves as it is what it held before.

    Its warnings tell of the rest. What is certainly not accepted is removed again. Raises DocumentError.
    """
    assert loaded is not None
    if claim.kept_notices is not None:
        held, skipped = None, [Notice(**each) for each in claim.kept_notices]
    elif loaded.has_members:
        held, skipped = await _take_out(services, claim, loaded.media_type)
    else:
        held, skipped = Held(), []
    loaded.warnings[:] = bounded([*loaded.warnings, *skipped])
    try:
        yield held
    except (DocumentError, LeaseLost, OtherScheme, OtherSpace):
        await services.blobs.discard(each.blob for each in (held.uploads if held else ()))
        raise


def lacking(held: Held | None) -> str:
    """Return what is recorded of a document that holds files which only LibreOffice could have converted, without it.

    Their names tell: the worker opens no file that was sent.
    """
    if held is None or libreoffice.is_installed():
        return ""
    suffixes = tuple(suffix for _, suffix, _ in FORMATS.values())
    old = any(each.media_type in FORMATS or each.document_id.lower().endswith(suffixes) for each in held.uploads)
    return WITHOUT_LIBREOFFICE if old else ""


async def _take_out(services: Services, claim: ClaimedDocument, media_type: str) -> tuple[Held, list[Notice]]:
    async with services.database.transaction(claim.tenant) as connection:
        family = await members.family(connection, claim.tenant, claim.document_id, claim.parent)
    if family.depth >= MAX_DEPTH:
        return Held(), [Notice("attachment_skipped", TOO_DEEP)]
    settings = services.settings
    room = Room(
        members=max(0, settings.max_members - family.members),
        total=max(0, (settings.max_unpacked_mb << 20) - family.size),
        each=settings.max_upload_mb << 20,
        most_members=settings.max_members,
        most_mb=settings.max_unpacked_mb,
    )
    taken = _Taken(services, claim, room)
    try:
        try:
            skipped = await taken.run(media_type)
        except ParentDied:
            await services.blobs.discard(each.blob for each in taken.uploads)
            taken = _Taken(services, claim, room)
            skipped = await taken.run(media_type)
        uploads, skipped = await _without_ids_of_others(services, claim, taken.uploads, skipped)
    except BaseException:
        await services.blobs.discard(each.blob for each in taken.uploads)
        raise
    return Held(uploads, settings.max_members, settings.max_unpacked_mb << 20), skipped


class _Taken:
    """What a child has handed over so far. It is counted here, too, whatever the child says."""

    def __init__(self, services: Services, claim: ClaimedDocument, room: Room) -> None:
        self._services, self._claim, self._room = services, claim, room
        self.uploads: list[Upload] = []
        self._total = 0

    async def run(self, media_type: str) -> list[Notice]:
        """Return notices of what is left out. Raises DocumentError."""
        settings, claim = self._services.settings, self._claim
        timeout_s, memory_mb = settings.load_timeout_s, settings.load_memory_mb
        limits = Limits(address_space=memory_mb << 20, cpu_s=int(timeout_s) + 1, file_size=0)
        blob = Blob(claim.blob, claim.size, claim.sha256)
        arguments = (media_type, json.dumps(asdict(self._room)))
        try:
            async with (
                self._services.blobs.local(blob) as path,
                open_child(
                    "ingest.loading.members_child",
                    *arguments,
                    limits=limits,
                    profile=Profile(read={"document": path}),
                    forked=True,
                ) as child,
            ):
                return await self._receive(child, timeout_s, memory_mb)
        except TimeoutError:
            raise DocumentError(
                "timeout", f"To unpack the document took more than {timeout_s:g} s (KYUJANG_LOAD_TIMEOUT_S). Split it."
            ) from None
        except OutputError:
            raise crashed() from None

    async def _receive(self, child: ChildProcess, timeout_s: float, memory_mb: int) -> list[Notice]:
        refused: list[Notice] = []
        while (message := await _message(child, timeout_s)) is not None:
            if "error" in message:
                raise DocumentError(message["error"]["code"], message["error"]["detail"])
            if "skipped" in message:
                return refused + [Notice(**notice) for notice in message["skipped"]]
            if (notice := await self._save(child, message)) is not None:
                refused.append(notice)
        raise await explain(child, memory_mb)

    async def _save(self, child: ChildProcess, message: dict[str, Any]) -> Notice | None:
        path, size = str(message["path"]), int(message["size"])
        self._total += size
        if len(self.uploads) >= self._room.members or self._total > self._room.total or size > self._room.each:
            raise OutputError
        scratch = self._services.settings.scratch
        await asyncio.to_thread(scratch.mkdir, parents=True, exist_ok=True, mode=0o700)
        with TemporaryFile(dir=scratch) as copy:
            async for part in child.read(size):
                await asyncio.to_thread(copy.write, part)
            copy.seek(0)
            try:
                document_id = clean_id(member_id(self._claim.document_id, path))
            except ValueError:
                return Notice("attachment_skipped", NO_ID)
            blob = await self._services.blobs.save(self._claim.tenant, copy)
        declared = message["media_type"]
        self.uploads.append(
            Upload(
                document_id=document_id,
                blob=blob.path,
                size=blob.size,
                sha256=blob.sha256,
                source=path.rpartition("/")[2],
                # Plain text would not be looked at: that is what a caller sends as text.
                media_type=None if declared == PLAIN else declared,
                parent=self._claim.document_id,
            )
        )
        return None


async def _message(child: ChildProcess, timeout_s: float) -> dict[str, Any] | None:
    async with asyncio.timeout(timeout_s):
        return await child.message()


async def _without_ids_of_others(
    services: Services, claim: ClaimedDocument, uploads: list[Upload], skipped: list[Notice]
) -> tuple[list[Upload], list[Notice]]:
    ids = [each.document_id for each in uploads]
    async with services.database.transaction(claim.tenant) as connection:
        others = await members.ids_of_others(connection, claim.tenant, claim.document_id, ids)
    await services.blobs.discard(each.blob for each in uploads if each.document_id in others)
    notices = [Notice("attachment_skipped", IN_USE.format(each)) for each in sorted(others)]
    return [each for each in uploads if each.document_id not in others], skipped + notices

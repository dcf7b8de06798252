"""The service's own database and blob folder as the target of an add, without its API."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Collection, Sequence
from contextlib import asynccontextmanager
from typing import Any

from app.bootstrap import open_services
from app.errors import NotFound
from app.services import Services
from app.settings import Settings
from app.storage import documents, jobs
from app.storage.blobs import Blob
from app.storage.filters import Column, Is, Metadata
from app.storage.jobs import Upload
from app.storage.tenants import tenant_by_slug
from app.tenancy import TenantNumber
from ingest.sync.folder import Source, file_name
from ingest.sync.sync import FOLDER, Ended, Stored, described
from ingest.worker import run

JOB_DOCUMENTS = 500
PAGE = 500
WORKING = ("queued", "running")


@asynccontextmanager
async def open_in_place(settings: Settings, tenant: str, *, work: bool) -> AsyncIterator[InPlace]:
    """With `work` a worker runs in this process until the end. Raises KyujangError."""
    # Neither ranks nor generates.
    settings = settings.model_copy(update={"reranker": None, "engine": "none"})
    async with open_services(settings) as services:
        number = (await tenant_by_slug(services.database, tenant)).number
        stop = asyncio.Event()
        worker = asyncio.create_task(run(services, stop)) if work else None
        try:
            yield InPlace(services, number, worker)
        finally:
            stop.set()
            if worker is not None:
                await worker


async def accept(
    services: Services, tenant: TenantNumber, sources: Sequence[Source], metadata: dict[str, Any] | None
) -> list[str]:
    """As POST /ingest does; the ids of the jobs. Raises OSError for a file that cannot be read, and then what comes
    before its job's documents is accepted, and nothing else."""
    accepted = []
    for first in range(0, len(sources), JOB_DOCUMENTS):
        some = sources[first : first + JOB_DOCUMENTS]
        uploads = await _save(services, tenant, some, metadata)
        # If this fails the job may be there all the same, and the files must stay.
        accepted.append((await jobs.create_job(services.database, tenant, uploads)).id)
    return accepted


async def _save(
    services: Services, tenant: TenantNumber, sources: Sequence[Source], metadata: dict[str, Any] | None
) -> list[Upload]:
    saved: list[Blob] = []
    try:
        for source in sources:
            with source.path.open("rb") as content:
                saved.append(await services.blobs.save(tenant, content))
    except BaseException:
        await services.blobs.remove(blob.path for blob in saved)
        raise
    return [
        Upload(
            document_id=source.id,
            blob=blob.path,
            size=blob.size,
            sha256=blob.sha256,
            source=file_name(source),
            metadata=described(source, metadata),
        )
        for source, blob in zip(sources, saved, strict=True)
    ]


class InPlace:
    batch = 50
    window = 500

    def __init__(self, services: Services, tenant: TenantNumber, worker: asyncio.Task[None] | None) -> None:
        self._services = services
        self._tenant = tenant
        self._worker = worker

    def labelled(self, folder: str) -> AsyncIterator[tuple[str, Stored]]:
        return self._documents_where(Metadata(FOLDER), [folder])

    async def among(self, ids: Sequence[str]) -> AsyncIterator[tuple[str, Stored]]:
        for first in range(0, len(ids), PAGE):
            async for each in self._documents_where("document_id", ids[first : first + PAGE]):
                yield each

    async def accept(self, sources: Sequence[Source], metadata: dict[str, Any] | None) -> str:
        (job,) = await accept(self._services, self._tenant, sources, metadata)
        return job

    async def ended(self, jobs_: Collection[str]) -> list[Ended]:
        if self._worker is not None and self._worker.done():
            self._worker.result()
        done = []
        for each in jobs_:
            job = await jobs.get_job(self._services.database, self._tenant, each)
            for item in job.documents:
                if item.status not in WORKING:
                    code, detail = (item.error.code, item.error.detail) if item.error else ("", "")
                    done.append(Ended(item.id, item.status, code, detail))
        return done

    async def delete(self, document_id: str) -> None:
        try:
            blobs = await documents.delete_document(self._services.database, self._tenant, document_id)
        except NotFound:
            return
        await self._services.blobs.remove(blobs)

    async def _documents_where(
        self, key: Column | Metadata, values: Sequence[str]
    ) -> AsyncIterator[tuple[str, Stored]]:
        where, after = Is(key, values), None
        while True:
            rows = await documents.list_documents(
                self._services.database, self._tenant, limit=PAGE, after=after, where=where
            )
            for row in rows:
                yield row.id, Stored(row.bytes, row.sha256, row.metadata)
            if len(rows) < PAGE:
                return
            after = rows[-1].id

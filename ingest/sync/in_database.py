"""Adds to the service's own database and blob folder, without its API."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Collection, Coroutine, Sequence
from contextlib import asynccontextmanager, suppress
from typing import Any

from app.bootstrap import open_services
from app.errors import NotFound
from app.services import Services
from app.settings import Settings
from app.storage import documents, job_creation, jobs
from app.storage.blobs import Blob
from app.storage.filters import Column, Is, Metadata
from app.storage.jobs import Item, Upload
from app.storage.notices import OcrMode, codes
from app.storage.processing import processing
from app.storage.tenancy import TenantNumber
from app.storage.tenants import tenant_by_slug
from ingest.sync.folder import Source, file_name
from ingest.sync.report import Ended
from ingest.sync.sync import FOLDER, Options, Stored, described
from ingest.worker import run

BATCH = 50
JOB_DOCUMENTS = 500
PAGE = 500
WORKING = ("queued", "running")

Ingest = Callable[[Services, TenantNumber, Sequence[str], asyncio.Event], Coroutine[Any, Any, None]]
"""Ingests the documents of these jobs, of which more may come until the event is set."""


@asynccontextmanager
async def open_database_target(
    settings: Settings, tenant: str, ingest: Ingest | None, *, batch: int | None = None, window: int = 500
) -> AsyncIterator[DatabaseTarget]:
    """Open the database; `ingest` runs beside the block and finishes what it accepts. Raises KyujangError."""
    # Adding needs neither a reranker nor an engine.
    settings = settings.model_copy(update={"reranker": None, "checker": None, "engine": "none"})
    async with open_services(settings, on_spare_cores=True) as services:
        number = (await tenant_by_slug(services.database, tenant)).number
        target = DatabaseTarget(services, number, batch or BATCH, window)
        complete = asyncio.Event()
        try:
            async with asyncio.TaskGroup() as group:
                if ingest is not None:
                    group.create_task(ingest(services, number, target.accepted, complete))
                yield target
                complete.set()
        except ExceptionGroup as errors:
            raise errors.exceptions[0] from None


async def ingest_by_worker(
    services: Services, tenant: TenantNumber, job_ids: Sequence[str], complete: asyncio.Event
) -> None:
    """Run a worker, which takes what there is, in this process until `complete` is set."""
    await run(services, complete)


async def accept(
    services: Services,
    tenant: TenantNumber,
    sources: Sequence[Source],
    metadata: dict[str, Any] | None,
    ocr: OcrMode = "auto",
    collection: str | None = None,
) -> list[str]:
    """Accept files as POST /ingest does, and return the jobs' ids.

    Raises OSError for a file that cannot be read; the jobs before its own are accepted then, and nothing else.
    """
    accepted = []
    for first in range(0, len(sources), JOB_DOCUMENTS):
        some = sources[first : first + JOB_DOCUMENTS]
        uploads = await _save(services, tenant, some, metadata, ocr, collection)
        # Even if this fails the job may exist, so the files must stay.
        job, _ = await job_creation.create_job(services.database, tenant, uploads)
        accepted.append(job.id)
    return accepted


async def _save(
    services: Services,
    tenant: TenantNumber,
    sources: Sequence[Source],
    metadata: dict[str, Any] | None,
    ocr: OcrMode,
    collection: str | None,
) -> list[Upload]:
    saved: list[Blob] = []
    try:
        for source in sources:
            with source.path.open("rb") as content:
                saved.append(await services.blobs.save(tenant, content))
    except BaseException:
        await services.blobs.discard(blob.path for blob in saved)
        raise
    return [
        Upload(
            document_id=source.id,
            blob=blob.path,
            size=blob.size,
            sha256=blob.sha256,
            source=file_name(source),
            metadata=described(source, metadata),
            ocr=ocr,
            collection=collection,
        )
        for source, blob in zip(sources, saved, strict=True)
    ]


def _ended(documents: Sequence[Item]) -> list[Ended]:
    """Return the files' documents that are done with all that they hold."""
    parents = {each.id: each.parent for each in documents}
    held: dict[str, list[Item]] = {each.id: [each] for each in documents if each.parent is None}
    for item in documents:
        root, above = item.id, item.parent
        while above is not None:
            root, above = above, parents.get(above)
        if item.parent is not None and root in held:
            held[root].append(item)
    return [
        _as_ended(first, [_as_ended(each) for each in others if each.status == "failed"])
        for first, *others in held.values()
        if not any(each.status in WORKING for each in (first, *others))
    ]


def _as_ended(item: Item, failed_members: Sequence[Ended] = ()) -> Ended:
    code, detail = (item.error.code, item.error.detail) if item.error else ("", "")
    return Ended(item.id, item.status, code, detail, codes(item.warnings), failed_members)


class DatabaseTarget:
    def __init__(self, services: Services, tenant: TenantNumber, batch: int, window: int) -> None:
        self._services = services
        self._tenant = tenant
        self.batch = batch
        self.window = window
        self.accepted: list[str] = []
        """The jobs so far."""

    def documents_in_folder(self, folder: str) -> AsyncIterator[tuple[str, Stored]]:
        return self._documents_where(Metadata(FOLDER), [folder])

    async def documents_by_id(self, ids: Sequence[str]) -> AsyncIterator[tuple[str, Stored]]:
        for first in range(0, len(ids), PAGE):
            async for each in self._documents_where("document_id", ids[first : first + PAGE]):
                yield each

    async def accept(self, sources: Sequence[Source], options: Options) -> str:
        how = options.metadata, options.ocr, options.collection
        jobs_ = await accept(self._services, self._tenant, sources, *how)
        self.accepted += jobs_
        return jobs_[0]

    async def ended(self, jobs_: Collection[str]) -> list[Ended]:
        done = []
        for each in jobs_:
            job = await jobs.get_job(self._services.database, self._tenant, each)
            done += _ended(job.documents)
        return done

    async def delete(self, document_id: str) -> None:
        with suppress(NotFound):
            await documents.delete_document(self._services.database, self._tenant, document_id)

    async def _documents_where(
        self, key: Column | Metadata, values: Sequence[str]
    ) -> AsyncIterator[tuple[str, Stored]]:
        where, after = Is(key, values), None
        max_tokens = self._services.spaces.current.embedder.encoder.max_tokens
        current = processing(self._services.settings, max_tokens)
        while True:
            rows, more = await documents.list_documents(
                self._services.database, self._tenant, limit=PAGE, after=after, where=where
            )
            for row in (each for each in rows if each.parent is None):
                outdated = not current.made(row.media_type, row.loader, row.splitter)
                yield row.id, Stored(row.bytes, row.sha256, row.metadata, outdated, row.ocr, row.collection)
            if not more:
                return
            after = rows[-1].id

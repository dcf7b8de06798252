from __future__ import annotations

from dataclasses import fields
from typing import Annotated, Any
from urllib.parse import unquote

from fastapi import APIRouter, Depends, Path, Query, Request, Response
from fastapi.responses import StreamingResponse
from pydantic import AfterValidator, BeforeValidator

from app.api.async_work import IdempotencyKey, Wait, accepted, ended_job, idempotency
from app.api.chunk_schemas import ChunkOut, SpanOut, header_out, pages_of
from app.api.deps import IngestTenant, PageDep, ReadTenant, ServicesDep, page_with
from app.api.document_texts import TextOut, text_answer
from app.api.filters import Filters, filter_of, filters_in_query
from app.api.jobs import job_out
from app.api.original_files import original_file
from app.api.raw_path import RawPathRoute
from app.api.schemas import (
    Body,
    ChangedDocumentOut,
    DocumentBody,
    DocumentOut,
    JobOut,
    Page,
)
from app.errors import NotFound
from app.language.unicode import clean_line
from app.services import Services
from app.storage import document_changes, documents
from app.storage.document_ids import DocumentId
from app.storage.documents import Document
from app.storage.filters import Filter
from app.storage.notices import NoticeCode
from app.storage.processing import Processing, processing
from app.storage.rechunking import create_rechunk_job
from app.storage.texts import read_text

router = APIRouter(route_class=RawPathRoute, prefix="/documents", tags=["Documents"])


def _decoded(sent: str) -> str:
    if not sent:
        raise NotFound
    return unquote(sent, errors="surrogateescape")


FiltersInQuery = Annotated[Filter | None, Depends(filters_in_query)]
WarningInQuery = Annotated[
    NoticeCode | None, Query(description="A code of `warnings`: only documents with such a warning")
]
PartOfName = Annotated[
    Annotated[str, AfterValidator(clean_line)] | None,
    Query(min_length=1, max_length=200, description="A part of the id, the title or the source, in either case"),
]
IdInPath = Annotated[
    DocumentId,
    BeforeValidator(_decoded),
    Path(description="The document's id, percent-encoded: `/` as `%2F`, so that no part of it is taken for a route"),
]


@router.get("", response_model=Page[DocumentOut])
async def list_documents(
    tenant: ReadTenant,
    services: ServicesDep,
    page: PageDep,
    where: FiltersInQuery,
    warning: WarningInQuery = None,
    parent: Annotated[DocumentId | None, Query(description="Only what this document holds, at the first level")] = None,
    q: PartOfName = None,
) -> dict[str, Any]:
    """List documents, or those that `?filters=` lets through, that have a `?warning=`, that a `?parent=` holds, or
    whose id, title or source holds `?q=`."""
    after = page.after(str)
    rows, more = await documents.list_documents(
        services.database,
        tenant.number,
        limit=page.limit,
        after=after[0] if after else None,
        where=where,
        warning=warning,
        parent=parent,
        part=q,
    )
    current = _processing(services)
    return page_with([_shown(row, current) for row in rows], more, lambda row: [row.id])


class RechunkBody(Body):
    """Without `filters` all documents."""

    filters: Filters | None = None


ALL = RechunkBody()


@router.post("/rechunk", status_code=202, responses={200: {"model": JobOut}})
async def rechunk(
    response: Response,
    tenant: IngestTenant,
    services: ServicesDep,
    body: RechunkBody = ALL,
    wait: Wait = 0,
    idempotency_key: IdempotencyKey = None,
) -> JobOut:
    """Read and cut again the documents that are `outdated`, from their stored files: 202 and a job.

    Until a document's new chunks stand, its old ones are searched.
    """
    where = filter_of(body.filters) if body.filters else None
    repeated = idempotency(idempotency_key, "POST /documents/rechunk", [body.model_dump(mode="json", by_alias=True)])
    job, new = await create_rechunk_job(services.database, tenant.number, _processing(services), where, repeated)
    job = await ended_job(services, tenant, job, wait)
    accepted(response, f"/jobs/{job.id}", new=new, ended=wait > 0 and job.finished_at is not None)
    return job_out(job)


@router.get("/{id:path}/chunks", response_model=Page[ChunkOut])
async def list_chunks(tenant: ReadTenant, id: IdInPath, services: ServicesDep, page: PageDep) -> dict[str, Any]:
    """List a document's chunks in its order, each with its pages, its headings and its span in the text."""
    after = page.after(int)
    rows, more = await documents.list_chunks(
        services.database, tenant.number, id, limit=page.limit, after=after[0] if after else None
    )
    chunks = [
        ChunkOut(
            chunk_id=row.chunk_id,
            ord=row.ord,
            page=row.page,
            pages=pages_of(row),
            headings=row.headings,
            text=row.text,
            tokens=row.tokens,
            span=SpanOut(start=row.start, end=row.stop),
            header=header_out(row.header),
        )
        for row in rows
    ]
    return page_with(chunks, more, lambda row: [row.ord])


@router.get(
    "/{id:path}/content",
    response_class=StreamingResponse,
    responses={200: {"content": {"*/*": {}}}, 206: {"content": {"*/*": {}}}},
)
async def get_content(request: Request, tenant: ReadTenant, id: IdInPath, services: ServicesDep) -> Response:
    """Send the uploaded file as it came, or the range of it that `Range` asks for."""
    original = await documents.get_original(services.database, tenant.number, id)
    return await original_file(request, services.blobs, original)


@router.get(
    "/{id:path}/text",
    response_model=TextOut,
    response_model_exclude_none=True,
    responses={200: {"content": {"text/plain": {"schema": {"type": "string"}}}}},
)
async def get_text(
    request: Request,
    tenant: ReadTenant,
    id: IdInPath,
    services: ServicesDep,
    start: Annotated[int, Query(ge=0, description="The first code point that is sent")] = 0,
    end: Annotated[int | None, Query(ge=0, description="The first code point after it; without it the end")] = None,
) -> Response:
    """Send the text that the spans of chunks and citations point into, with its pages; as `text/plain` if `Accept` says
    so. What has more than 2,000,000 characters is sent in parts."""
    return await text_answer(request, await read_text(services.database, tenant.number, id, start, end))


@router.get("/{id:path}")
async def get_document(tenant: ReadTenant, id: IdInPath, services: ServicesDep) -> DocumentOut:
    """Show a document."""
    document = await documents.get_document(services.database, tenant.number, id)
    return _shown(document, _processing(services))


@router.patch("/{id:path}", responses={202: {"model": ChangedDocumentOut}})
async def change_document(
    response: Response, tenant: IngestTenant, id: IdInPath, services: ServicesDep, body: DocumentBody, wait: Wait = 0
) -> ChangedDocumentOut:
    """Change a document's title, metadata or collection, without its bytes. With another title its chunks are embedded
    again: 202 and a job, during which they are searched as they were."""
    job = await document_changes.change_document(
        services.database, tenant.number, id, title=body.title, metadata=body.metadata, collection=body.collection
    )
    if job is not None:
        job = await ended_job(services, tenant, job, wait)
        accepted(response, f"/jobs/{job.id}", new=True, ended=job.finished_at is not None)
    document = await documents.get_document(services.database, tenant.number, id)
    shown = _shown(document, _processing(services))
    return ChangedDocumentOut(**shown.model_dump(), job=job_out(job) if job else None)


@router.delete("/{id:path}", status_code=204)
async def delete_document(tenant: IngestTenant, id: IdInPath, services: ServicesDep) -> None:
    """Delete a document with what it holds. They are gone from the very next query."""
    await documents.delete_document(services.database, tenant.number, id)


def _processing(services: Services) -> Processing:
    return processing(services.settings, services.spaces.current.embedder.encoder.max_tokens)


def _shown(document: Document, current: Processing) -> DocumentOut:
    outdated = document.is_retitled or not current.made(document.media_type, document.loader, document.splitter)
    stored = {each.name: getattr(document, each.name) for each in fields(document)}
    return DocumentOut(**stored, outdated=outdated)

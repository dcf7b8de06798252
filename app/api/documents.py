from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Path

from app.api.deps import IngestTenant, KeyFirst, PageDep, ReadTenant, ServicesDep, page_with
from app.api.filters import filters_in_query
from app.api.schemas import ChunkOut, DocumentOut, Page, SpanOut
from app.errors import InvalidInput, NotFound
from app.language.marks import MAX_MARKS, has_long_run
from app.language.unicode import clean
from app.storage import documents
from app.storage.filters import Filter

router = APIRouter(route_class=KeyFirst, prefix="/documents", tags=["Documents"])

# An id is at most 200 characters in NFC; decomposed, a Korean syllable is three.
MAX_SENT_ID = 600


def document_id(id: Annotated[str, Path(description="May hold slashes: it is the caller's own id")]) -> str:
    if len(id) > MAX_SENT_ID:
        raise NotFound
    if has_long_run(id):
        raise InvalidInput(f"The id holds more than {MAX_MARKS} combining marks in a row.", pointer="/id")
    try:
        return clean(id)
    except ValueError:
        raise NotFound from None


FiltersInQuery = Annotated[Filter | None, Depends(filters_in_query)]
DocumentId = Annotated[str, Depends(document_id)]


@router.get("", response_model=Page[DocumentOut])
async def list_documents(
    tenant: ReadTenant, services: ServicesDep, page: PageDep, where: FiltersInQuery
) -> dict[str, Any]:
    """List documents, or those that `?filters=` lets through."""
    after = page.after(str)
    rows, more = await documents.list_documents(
        services.database, tenant.number, limit=page.limit, after=after[0] if after else None, where=where
    )
    data = [DocumentOut.model_validate(row, from_attributes=True) for row in rows]
    return page_with(data, more, lambda row: [row.id])


@router.get("/{id:path}/chunks", response_model=Page[ChunkOut])
async def list_chunks(tenant: ReadTenant, id: DocumentId, services: ServicesDep, page: PageDep) -> dict[str, Any]:
    """List a document's chunks in its order, each with its page and its span in the text."""
    after = page.after(int)
    rows, more = await documents.list_chunks(
        services.database, tenant.number, id, limit=page.limit, after=after[0] if after else None
    )
    chunks = [
        ChunkOut(
            chunk_id=row.chunk_id,
            ord=row.ord,
            page=row.page,
            text=row.text,
            tokens=row.tokens,
            span=SpanOut(start=row.start, end=row.stop),
        )
        for row in rows
    ]
    return page_with(chunks, more, lambda row: [row.ord])


@router.get("/{id:path}")
async def get_document(tenant: ReadTenant, id: DocumentId, services: ServicesDep) -> DocumentOut:
    """Show a document."""
    document = await documents.get_document(services.database, tenant.number, id)
    return DocumentOut.model_validate(document, from_attributes=True)


@router.delete("/{id:path}", status_code=204)
async def delete_document(tenant: IngestTenant, id: DocumentId, services: ServicesDep) -> None:
    """Delete a document. It is gone from the very next query."""
    await services.blobs.remove(await documents.delete_document(services.database, tenant.number, id))

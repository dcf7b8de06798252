from __future__ import annotations

import asyncio
import io
import json
from typing import Any, BinaryIO, cast

from fastapi import APIRouter, Request, Response
from pydantic import TypeAdapter, ValidationError
from starlette.datastructures import FormData, UploadFile

from app.api.async_work import IdempotencyKey, Wait, accepted, ended_job, idempotency
from app.api.deps import IngestTenant, KeyFirst, ServicesDep
from app.api.json_bodies import LARGE_BODY_BYTES, checked_body
from app.api.schemas import IngestBody, JobOut, TextDocument
from app.api.uploads import FORM, clean_name, content_type, received_form
from app.errors import InvalidInput, NotFound, TooLarge, TooManyRequests, UnsupportedMediaType
from app.language.unicode import Metadata
from app.services import Services
from app.storage import job_creation, jobs
from app.storage.blobs import Blob
from app.storage.collections import collection_id
from app.storage.document_ids import NewDocumentId, made_id
from app.storage.idempotency import Idempotency
from app.storage.jobs import Upload
from app.storage.notices import OcrMode
from app.storage.tenancy import TenantNumber

router = APIRouter(route_class=KeyFirst, tags=["Documents"])

MAX_FILES = 1000
MAX_FIELDS, MAX_FIELD_BYTES = 10, 1 << 20
FIELDS = ("file", "metadata", "id", "ocr", "collection")
DOCUMENT_ID: TypeAdapter[str] = TypeAdapter(NewDocumentId)
BODIES = TypeAdapter(IngestBody)
OCR: TypeAdapter[OcrMode] = TypeAdapter(OcrMode)
METADATA: TypeAdapter[dict[str, Any]] = TypeAdapter(Metadata)
MULTIPART = {
    "type": "object",
    "required": ["file"],
    "properties": {
        "file": {"type": "array", "items": {"type": "string", "format": "binary"}},
        "metadata": {"type": "string", "description": "A JSON object, for all the files"},
        "id": {"type": "string", "description": "The caller's own id, when there is one file"},
        "ocr": {
            "type": "string",
            "enum": ["auto", "never", "force"],
            "description": "Which pages are read by OCR: those without text of their own, none, or all",
        },
        "collection": {"type": "string", "description": "Without it new documents are in `default`"},
    },
}
BODY = {
    "required": True,
    "content": {
        "application/json": {"schema": {"$ref": "#/components/schemas/IngestBody"}},
        "multipart/form-data": {"schema": MULTIPART},
    },
}


@router.post("/ingest", status_code=202, openapi_extra={"requestBody": BODY}, responses={200: {"model": JobOut}})
async def ingest(
    request: Request,
    response: Response,
    tenant: IngestTenant,
    services: ServicesDep,
    wait: Wait = 0,
    idempotency_key: IdempotencyKey = None,
) -> JobOut:
    """Accept files (multipart/form-data) or texts (application/json): 202 and a job. Accepted documents survive any
    crash from here on."""
    kind = content_type(request)
    if kind == FORM:
        uploads = await _from_form(request, services, tenant.number)
    elif kind == "application/json":
        uploads = await _from_json(request, services, tenant.number)
    else:
        raise UnsupportedMediaType("Send multipart/form-data with 'file', or application/json with 'documents'.")
    repeated = await asyncio.to_thread(idempotency, idempotency_key, "POST /ingest", _parts(uploads))
    job, new = await _accept(services, tenant.number, uploads, repeated)
    job = await ended_job(services, tenant, job, wait)
    accepted(response, f"/jobs/{job.id}", new=new, ended=wait > 0 and job.finished_at is not None)
    return JobOut.model_validate(job, from_attributes=True)


async def _accept(
    services: Services, tenant: TenantNumber, uploads: list[Upload], request: Idempotency | None
) -> tuple[jobs.Job, bool]:
    """Accept the uploads. On other errors the job may exist: blobs that are not needed are removed later."""
    needless = [upload.blob for upload in uploads]
    try:
        most = services.settings.tenant_documents
        job, new = await job_creation.create_job(services.database, tenant, uploads, request, most=most)
    except (InvalidInput, NotFound, TooLarge, TooManyRequests):
        await services.blobs.discard(needless)
        raise
    if not new:
        await services.blobs.discard(needless)
    return job, new


def _parts(uploads: list[Upload]) -> list[Any]:
    return [
        [each.document_id, each.sha256.hex(), each.source, each.title, each.media_type, each.metadata]
        # A request that was sent before there were OCR and collections comes again as the same.
        + ([each.ocr] if each.ocr != "auto" else [])
        + ([{"collection": each.collection}] if each.collection else [])
        for each in uploads
    ]


async def _from_json(request: Request, services: Services, tenant: TenantNumber) -> list[Upload]:
    sent = await request.body()
    large = len(sent) > LARGE_BODY_BYTES
    body: IngestBody = await asyncio.to_thread(checked_body, sent, BODIES) if large else checked_body(sent, BODIES)
    return await _save_all(services, tenant, [(io.BytesIO(each.text.encode()), each) for each in body.documents])


async def _from_form(request: Request, services: Services, tenant: TenantNumber) -> list[Upload]:
    async with received_form(
        request, FIELDS, max_files=MAX_FILES, max_fields=MAX_FIELDS, max_part_bytes=MAX_FIELD_BYTES
    ) as form:
        files = _checked_files(form)
        metadata = _metadata(form)
        document_id, ocr, collection = _own_id(form, len(files)), _ocr(form), _collection(form)
        texts = [
            TextDocument.model_construct(
                id=document_id, text="", source=_name(file), metadata=metadata, ocr=ocr, collection=collection
            )
            for file in files
        ]
        return await _save_all(
            services, tenant, [(file.file, text) for file, text in zip(files, texts, strict=True)], from_files=True
        )


async def _save_all(
    services: Services,
    tenant: TenantNumber,
    documents: list[tuple[BinaryIO, TextDocument]],
    *,
    from_files: bool = False,
) -> list[Upload]:
    saved: list[Blob] = []
    try:
        for content, _ in documents:
            saved.append(await services.blobs.save(tenant, content))
    except BaseException:
        await services.blobs.discard(blob.path for blob in saved)
        raise
    media_type = None if from_files else "text/plain"
    return [_upload(blob, document, media_type) for blob, (_, document) in zip(saved, documents, strict=True)]


def _upload(blob: Blob, document: TextDocument, media_type: str | None) -> Upload:
    return Upload(
        document_id=document.id or made_id(blob.sha256.hex()[:32]),
        blob=blob.path,
        size=blob.size,
        sha256=blob.sha256,
        source=document.source,
        title=getattr(document, "title", None),
        media_type=media_type,
        metadata=document.metadata,
        ocr=document.ocr,
        collection=document.collection,
    )


def _checked_files(form: FormData) -> list[UploadFile]:
    values = form.getlist("file")
    files = [value for value in values if isinstance(value, UploadFile)]
    if not files or len(files) < len(values):
        raise InvalidInput("Send at least one file, as -F file=@PATH.", pointer="/file")
    return files


def _metadata(form: FormData) -> dict[str, Any] | None:
    value = form.get("metadata")
    if value is None:
        return None
    try:
        return METADATA.validate_python(json.loads(cast(str, value)), strict=True)
    except (ValueError, RecursionError, TypeError) as error:
        reason = error.errors()[0]["msg"] if isinstance(error, ValidationError) else "it is not valid JSON"
        raise InvalidInput(f"'metadata' must be a JSON object: {reason}.", pointer="/metadata") from None


def _own_id(form: FormData, files: int) -> str | None:
    value = form.get("id")
    if value is None:
        return None
    if files > 1:
        raise InvalidInput("'id' goes with one file; leave it out for several.", pointer="/id")
    try:
        return DOCUMENT_ID.validate_python(value, strict=True)
    except ValidationError as error:
        raise InvalidInput(f"'id' {error.errors()[0]['msg']}.", pointer="/id") from None


def _ocr(form: FormData) -> OcrMode:
    try:
        return OCR.validate_python(form.get("ocr", "auto"), strict=True)
    except ValidationError:
        raise InvalidInput("'ocr' must be auto, never or force.", pointer="/ocr") from None


def _collection(form: FormData) -> str | None:
    value = form.get("collection")
    try:
        return None if value is None else collection_id(str(value))
    except ValueError as error:
        raise InvalidInput(f"'collection' {error}.", pointer="/collection") from None


def _name(file: UploadFile) -> str | None:
    """Return the file's name without folders; it is a label, never a path of ours."""
    name = (file.filename or "").replace("\\", "/").rpartition("/")[2]
    return clean_name(name)[:500] or None

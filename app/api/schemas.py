"""Request and response bodies. Unknown fields and wrong types are refused."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Generic, TypeVar

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints

from app.language.unicode import CLEAN, CLEAN_LINE, Metadata, Text
from app.storage.collections import collection_id
from app.storage.document_ids import NewDocumentId
from app.storage.jobs import ItemStatus, JobStatus, ShownKind, Stage
from app.storage.notices import NoticeCode, OcrMode
from app.storage.tenant_deletions import Status as DeletionStatus
from app.storage.tenants import SLUG

MAX_INPUT_CHARACTERS = 20_000
MAX_TOP_K = 100

Item = TypeVar("Item")


def _not_blank(text: str) -> str:
    if not text.strip():
        raise ValueError("must hold more than white space")
    return text


def given(value: Item | None) -> Item:
    if value is None:
        raise ValueError("must not be null; leave it out to keep what is stored")
    return value


Input = Annotated[
    str, StringConstraints(min_length=1, max_length=MAX_INPUT_CHARACTERS), CLEAN, AfterValidator(_not_blank)
]
Short = Annotated[str, StringConstraints(max_length=500), CLEAN_LINE]
Title = Annotated[str, StringConstraints(min_length=1, max_length=500), CLEAN_LINE, AfterValidator(_not_blank)]


CollectionId = Annotated[str, StringConstraints(min_length=1, max_length=200), AfterValidator(collection_id)]
Slug = Annotated[str, StringConstraints(pattern=f"^{SLUG.pattern}$")]


class Body(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, allow_inf_nan=False)


class Problem(BaseModel):
    """RFC 9457."""

    type: str
    title: str
    status: int
    detail: str
    code: str
    request_id: str
    errors: list[dict[str, str]] | None = None


class Page(BaseModel, Generic[Item]):
    data: list[Item]
    has_more: bool
    next_cursor: str | None


class TextDocument(Body):
    id: NewDocumentId | None = None
    text: Text
    title: Short | None = None
    source: Short | None = None
    metadata: Metadata | None = None
    ocr: OcrMode = Field("auto", description="For files: whether their scanned pages are read by OCR")
    collection: CollectionId | None = Field(None, description="Without it a new document is in `default`")


class IngestBody(Body):
    documents: Annotated[list[TextDocument], Field(min_length=1, max_length=1000)]


class DocumentBody(Body):
    """What is left out stays as it is; `metadata` is replaced as a whole."""

    title: Annotated[Title | None, AfterValidator(given)] = None
    metadata: Annotated[Metadata | None, AfterValidator(given)] = None
    collection: Annotated[CollectionId | None, AfterValidator(given)] = None


class ItemErrorOut(BaseModel):
    code: str
    detail: str


class PageCountsOut(BaseModel):
    """How many pages, sheets or slides there are, by what their text was read from."""

    text: int
    ocr: int
    unreadable: int


class WarningOut(BaseModel):
    """Something that the document's text lacks; `part` names a sheet, a slide or an attachment."""

    code: NoticeCode
    page: int | None = None
    part: str | None = None
    detail: str


class ItemOut(BaseModel):
    id: str
    source: str | None
    status: ItemStatus
    stage: Stage
    chunks: int | None
    chunks_done: int
    error: ItemErrorOut | None
    pages: PageCountsOut | None
    warnings: list[WarningOut]
    parent: str | None = Field(None, description="The document that holds it, as mail does an attachment")


class AdapterReferenceOut(BaseModel):
    """`version` is null while a training has not made it yet."""

    name: str
    version: int | None


class JobSummary(BaseModel):
    id: str
    kind: ShownKind = "ingest"
    status: JobStatus
    created_at: datetime
    finished_at: datetime | None
    counts: dict[str, int]
    with_warnings: int = Field(0, description="How many of its documents have `warnings`")
    adapter: AdapterReferenceOut | None = None


class JobOut(JobSummary):
    """Of documents or, with the kinds `tune` and `evaluate`, of an adapter: then with `progress`, `result` and `error`.

    A job that rechunks lists those documents alone that it has failed at, once it has ended.
    """

    documents: list[ItemOut]
    progress: dict[str, Any] | None = None
    result: dict[str, Any] | None = None
    error: ItemErrorOut | None = None


class DocumentOut(BaseModel):
    id: str
    source: str | None
    title: str | None
    media_type: str
    bytes: int
    sha256: str
    metadata: dict[str, Any]
    chunks: int
    loader: int | None = Field(description="The version of this format's loader that read it; null before 0.2")
    splitter: str | None = Field(description="What cut it: its name, version, tokens and overlap; null before 0.2")
    ocr: OcrMode = Field(description="Whether its scanned pages are read by OCR")
    pages: PageCountsOut | None = Field(description="Null where the format has no pages, and before 0.2")
    warnings: list[WarningOut] = Field(description="What its text lacks; of many with one code the last counts them")
    outdated: bool = Field(description="Whether another loader, splitter or title would make its chunks now")
    created_at: datetime
    updated_at: datetime
    parent: str | None = Field(None, description="The document that holds it, as mail does an attachment")
    collection: str


class ChangedDocumentOut(DocumentOut):
    """`job` embeds the chunks again, which are searched under the title from before until then."""

    job: JobOut | None


class TenantBody(Body):
    id: Slug
    name: Annotated[str, StringConstraints(min_length=1, max_length=200), CLEAN_LINE]


class TenantOut(BaseModel):
    id: str
    name: str
    chunks: int
    limits: dict[str, int]
    query_log_days: int | None = Field(None, description="How long its questions are kept; null: they are not logged")
    created_at: datetime


class DeletedOut(BaseModel):
    """So far; at the end all there was. `files` and `bytes`: uploads and adapters."""

    documents: int
    chunks: int
    files: int
    bytes: int
    prompts: int
    adapters: int
    jobs: int
    keys: int


class DeletionOut(BaseModel):
    """`tenant` is the id that it had."""

    id: str
    tenant: str
    status: DeletionStatus
    waiting_for: str | None = Field(description="What has to end first, such as a backup that holds the files")
    created_at: datetime
    finished_at: datetime | None
    deleted: DeletedOut

"""Read, list and delete documents and their chunks."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from psycopg.rows import DictRow

from app.errors import NotFound
from app.language.headings import heading_path
from app.storage import audit, changelog, members, postings
from app.storage.cancellation import cancel_items
from app.storage.collections import DEFAULT
from app.storage.database import Database, fetch_all, fetch_one, see_all
from app.storage.filter_sql import compile_filter
from app.storage.filters import Filter
from app.storage.notices import HAS_NOTICE, NoticeCode, OcrMode, PageCounts
from app.storage.page import cut, within_bytes
from app.storage.tenancy import TenantNumber

# A reply names so many documents.
TITLES = 5
NAMED = "position(lower(%(part)s) in lower(concat_ws(E'\\n', d.id, coalesce(d.new_title, d.title), d.source))) > 0"


@dataclass(frozen=True, slots=True)
class Document:
    """`is_retitled`: its chunks are still to be embedded under its title."""

    id: str
    source: str | None
    title: str | None
    is_retitled: bool
    media_type: str
    bytes: int
    sha256: str
    metadata: dict[str, Any]
    chunks: int
    loader: int | None
    splitter: str | None
    ocr: OcrMode
    pages: PageCounts | None
    warnings: list[dict[str, Any]]
    created_at: datetime
    updated_at: datetime
    parent: str | None
    collection: str


@dataclass(frozen=True, slots=True)
class Original:
    """The file that a document was made of: `blob` is its path below the blob folder, `sha256` in hex digits."""

    blob: str
    filename: str
    media_type: str
    size: int
    sha256: str


@dataclass(frozen=True, slots=True)
class Chunk:
    """`start`, `stop` and `header` count code points in the document's text; `headings` begin with its title."""

    chunk_id: str
    ord: int
    page: int | None
    last_page: int | None
    text: str
    tokens: int
    start: int
    stop: int
    header: tuple[int, int] | None
    headings: list[str]


def header_of(chunk: DictRow) -> tuple[int, int] | None:
    """Return the place of what a chunk repeats of its table; None if it repeats nothing."""
    return None if chunk["header_start"] is None else (chunk["header_start"], chunk["header_stop"])


def public_chunk_id(number: int) -> str:
    return f"chk_{number:016x}"


def chunk_number(public_id: str) -> int:
    return int(public_id.removeprefix("chk_"), 16)


async def list_documents(
    database: Database,
    tenant: TenantNumber,
    *,
    limit: int,
    after: str | None,
    where: Filter | None = None,
    warning: NoticeCode | None = None,
    parent: str | None = None,
    part: str | None = None,
) -> tuple[list[Document], bool]:
    """Return a page, and whether there is more; with `warning` documents with such a notice alone, with `part` those
    whose id, title or source holds it."""
    condition = compile_filter(where) if where else None
    async with database.transaction(tenant) as connection:
        rows = await fetch_all(
            connection,
            within_bytes(
                f"""
                select * from documents d
                where d.tenant_id = %(tenant)s and d.id > %(after)s and {condition.sql if condition else "true"}
                  and {HAS_NOTICE if warning else "true"}
                  and {"d.parent = %(parent)s" if parent is not None else "true"}
                  and {NAMED if part is not None else "true"}
                order by d.id limit %(limit)s
                """,  # noqa: S608 - a condition holds its values as parameters
                size="octet_length(metadata::text) + octet_length(warnings::text)",
                order="id",
            ),
            {"tenant": tenant, "after": after or "", "limit": limit + 1}
            | {"warning": warning, "parent": parent, "part": part}
            | (condition.parameters if condition else {}),
        )
    rows, more = cut(rows, limit)
    return [_document(row) for row in rows], more


async def first_titles(database: Database, tenant: TenantNumber, where: Filter | None) -> list[str]:
    """Return what some of the matching documents are called."""
    documents, _ = await list_documents(database, tenant, limit=TITLES, after=None, where=where)
    return list(dict.fromkeys(document.title or document.source or document.id for document in documents))


async def get_document(database: Database, tenant: TenantNumber, document_id: str) -> Document:
    async with database.transaction(tenant) as connection:
        row = await fetch_one(
            connection,
            "select * from documents where tenant_id = %(tenant)s and id = %(id)s",
            {"tenant": tenant, "id": document_id},
        )
    if row is None:
        raise NotFound
    return _document(row)


async def get_original(database: Database, tenant: TenantNumber, document_id: str) -> Original:
    """Raises NotFound."""
    async with database.transaction(tenant) as connection:
        row = await fetch_one(
            connection,
            """
            select blob, coalesce(source, id) as filename, media_type, bytes as size, encode(sha256, 'hex') as sha256
            from documents where tenant_id = %(tenant)s and id = %(id)s
            """,
            {"tenant": tenant, "id": document_id},
        )
    if row is None:
        raise NotFound
    return Original(**row)


async def list_chunks(
    database: Database, tenant: TenantNumber, document_id: str, *, limit: int, after: int | None
) -> tuple[list[Chunk], bool]:
    """Return a page, and whether there is more."""
    document = await get_document(database, tenant, document_id)
    async with database.transaction(tenant) as connection:
        rows = await fetch_all(
            connection,
            within_bytes(
                """
                select id, ord, page, coalesce(last_page, page) as last_page, content, tokens, start, stop,
                    header_start, header_stop, headings from chunks
                where tenant_id = %(tenant)s and document_id = %(id)s and ord > %(after)s order by ord limit %(limit)s
                """,
                size="octet_length(content)",
                order="ord",
            ),
            {"tenant": tenant, "id": document_id, "after": -1 if after is None else after, "limit": limit + 1},
        )
    rows, more = cut(rows, limit)
    chunks = [
        Chunk(
            public_chunk_id(row["id"]),
            row["ord"],
            row["page"],
            row["last_page"],
            row["content"],
            row["tokens"],
            row["start"],
            row["stop"],
            header_of(row),
            heading_path(document.title, row["headings"] or ()),
        )
        for row in rows
    ]
    return chunks, more


async def delete_document(database: Database, tenant: TenantNumber, document_id: str) -> None:
    """Delete a document with what it holds, and cancel what is accepted of them. Raises NotFound."""
    key = {"tenant": tenant, "id": document_id}
    async with database.transaction(tenant) as connection:
        # What is no document yet is cancelled inside the part alone.
        if await fetch_one(connection, SEEN, key) is not None:
            await see_all(connection)
        cancelled = await cancel_items(connection, tenant, "document_id = %(id)s", {"id": document_id})
        # Locked before what it holds, as a writer of it does.
        await connection.execute("select from documents where tenant_id = %(tenant)s and id = %(id)s for update", key)
        removed = await members.remove_members(connection, tenant, document_id)
        chunks = await fetch_all(
            connection, "delete from chunks where tenant_id = %(tenant)s and document_id = %(id)s returning id", key
        )
        row = await fetch_one(
            connection, "delete from documents where tenant_id = %(tenant)s and id = %(id)s returning id", key
        )
        if row is None and not cancelled:
            raise NotFound
        if row is not None:
            removed += [chunk["id"] for chunk in chunks]
            await changelog.record(connection, tenant, document_id, removed=removed, chunks=-len(removed))
            await postings.remove(connection, tenant, removed)
        await audit.record(connection, tenant, "delete", "document", document_id)


SEEN = "select from documents where tenant_id = %(tenant)s and id = %(id)s"


def _document(row: DictRow) -> Document:
    return Document(
        id=row["id"],
        source=row["source"],
        title=row["new_title"] or row["title"],
        is_retitled=row["new_title"] is not None,
        media_type=row["media_type"],
        bytes=row["bytes"],
        sha256=row["sha256"].hex(),
        metadata=row["metadata"],
        chunks=row["chunks"],
        loader=row["loader"],
        splitter=row["splitter"],
        ocr=row["ocr"],
        pages=row["page_counts"],
        warnings=row["warnings"],
        created_at=row["created_at"],
        updated_at=row["updated_at"],
        parent=row["parent"],
        collection=row["collection"] or DEFAULT,
    )

"""A document as it is stored, compared with what was accepted for its id."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

from psycopg.types.json import Jsonb

from app.storage import members, parts
from app.storage.collections import MOVED
from app.storage.database import Database, fetch_one
from app.storage.notices import OcrMode, PageCounts
from app.storage.processing import LOADERS, WITHOUT_LIBREOFFICE, Processing
from ingest.jobs.queue import ClaimedDocument, ClaimedRechunk, finish_claimed
from ingest.loading.formats import PLAIN
from ingest.within_part import judge_written, refuse_taken


@dataclass(frozen=True, slots=True)
class StoredVersion:
    """A document as it is stored. `sent_title` and `sent_type` are what it was given for title and media type;
    `new_title` is the title that its chunks are still to be embedded under."""

    blob: str
    size: int
    sha256: bytes
    source: str | None
    title: str | None
    new_title: str | None
    media_type: str
    loader: int | None
    splitter: str | None
    sent_title: str | None
    sent_type: str | None
    ocr: OcrMode
    page_counts: PageCounts | None
    warnings: list[dict[str, Any]]
    parent: str | None

    def same(self, work: ClaimedDocument) -> bool:
        """Tell whether these bytes are stored, read in the same way, under the same title: that is embedded with every
        chunk."""
        same_title = work.title in (None, self.new_title or self.title)
        return self.sha256 == work.sha256 and self.ocr == work.ocr and same_title

    def made_by(self, current: Processing) -> bool:
        return self.new_title is None and current.made(self.media_type, self.loader, self.splitter)

    @property
    def given_title(self) -> str | None:
        """The title that it was given. Before 0.2 that was not recorded: the title stays."""
        return self.title if self.loader is None and self.sent_title is None else self.sent_title

    @property
    def kept_notices(self) -> list[dict[str, Any]] | None:
        """What is told of the files that it holds; None if today's reader has not taken them out, or some have failed
        for want of LibreOffice."""
        if self.loader != LOADERS.get(self.media_type) or (self.splitter or "").endswith(WITHOUT_LIBREOFFICE):
            return None
        return [notice for notice in self.warnings if notice["code"] == "attachment_skipped"]

    def again(self, work: ClaimedRechunk) -> ClaimedDocument:
        """Return what ingests it again from its file."""
        sent_type = self.sent_type
        if self.loader is None and self.media_type == PLAIN:
            # It may have been sent as text, which is not taken for anything else.
            sent_type = PLAIN
        return ClaimedDocument(
            **vars(work), blob=self.blob, size=self.size, sha256=self.sha256, source=self.source,
            title=self.given_title, media_type=sent_type, ocr=self.ocr, is_stored=True, parent=self.parent,
            kept_notices=self.kept_notices,
        )  # fmt: skip


async def read(database: Database, work: ClaimedDocument | ClaimedRechunk) -> StoredVersion | None:
    async with database.transaction(work.tenant) as connection:
        row = await fetch_one(
            connection,
            """
            select blob, bytes as size, sha256, source, title, new_title, media_type, loader, splitter,
                sent_title, sent_type, ocr, page_counts, warnings, parent
            from documents where tenant_id = %(tenant)s and id = %(id)s
            """,
            {"tenant": work.tenant, "id": work.document_id},
        )
    return StoredVersion(**row) if row else None


async def finish_unchanged(
    database: Database, work: ClaimedDocument | ClaimedRechunk, found: StoredVersion | None
) -> None:
    """Finish it without new chunks; an upload may still have changed its source and metadata."""
    async with database.transaction(work.tenant) as connection:
        await parts.hold(connection, work.tenant)
        if isinstance(work, ClaimedDocument):
            await refuse_taken(connection, work)
        await finish_claimed(connection, work, "unchanged", **(notice_columns(found) if found else {}))
        if isinstance(work, ClaimedRechunk):
            return
        await connection.execute(
            f"""
            with new as (
                select coalesce(%(source)s::text, source) as source,
                       coalesce(%(metadata)s::jsonb, metadata) as metadata, {MOVED} as collection
                from documents where tenant_id = %(tenant)s and id = %(id)s
            )
            update documents d
            set source = new.source, metadata = new.metadata, collection = new.collection, updated_at = now()
            from new where d.tenant_id = %(tenant)s and d.id = %(id)s
              and (new.source, new.metadata, new.collection) is distinct from (d.source, d.metadata, d.collection)
            """.encode(),  # noqa: S608 - a constant
            upload_columns(work),
        )
        if work.collection is not None:
            await members.set_collection(connection, work.tenant, [work.document_id], work.collection)
        if work.metadata is not None:
            await members.set_metadata(connection, work.tenant, work.document_id, work.metadata)
        await judge_written(connection, work)


class WithNotices(Protocol):
    @property
    def page_counts(self) -> PageCounts | None: ...

    @property
    def warnings(self) -> list[dict[str, Any]]: ...


def notice_columns(version: WithNotices) -> dict[str, Any]:
    return {
        "page_counts": None if version.page_counts is None else Jsonb(version.page_counts),
        "warnings": Jsonb(version.warnings),
    }


def upload_columns(work: ClaimedDocument) -> dict[str, Any]:
    return {
        "tenant": work.tenant,
        "id": work.document_id,
        "source": work.source,
        "title": work.title,
        "bytes": work.size,
        "sha256": work.sha256,
        "blob": work.blob,
        "parent": work.parent,
        "metadata": None if work.metadata is None else Jsonb(work.metadata),
        "ocr": work.ocr,
        "collection": work.collection,
    }

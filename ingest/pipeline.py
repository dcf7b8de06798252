"""The way of a document: load, split, embed, store. Each step may run again."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Protocol

import numpy as np

from app.embedding import Encoder, Vectors
from app.language.analyzer import Analyzer
from app.language.headings import heading_path
from app.language.marks import MAX_MARKS
from app.services import Services
from app.settings import Settings
from app.storage.blobs import Blob, Blobs
from app.storage.database import Database
from app.storage.jobs import JobKind, Stage
from app.storage.processing import chunk_size, processing
from app.storage.spaces import OtherSpace
from app.storage.texts import PageSpan
from ingest import langchain_split, staging, stored
from ingest.active_model import current_space, heading
from ingest.ahead import store_in_order
from ingest.indexing import wait_for_room
from ingest.jobs import queue
from ingest.jobs.queue import ClaimedDocument, ClaimedRechunk
from ingest.loading.clean_text import MARKS_CUT
from ingest.loading.load import Loaded
from ingest.loading.load import load as load_file
from ingest.loading.notices import as_row
from ingest.loading.parsed import Options
from ingest.members import holding, lacking
from ingest.pictures.describe import describe_pictures, describes
from ingest.scans import can_read_scans, read_scans, recorded_splitter
from ingest.split import Chunk, split_text, within
from ingest.staging import Analysis, Version
from ingest.turn import Turn

log = logging.getLogger("kyujang.ingest")

BATCH_CHUNKS = 16
# To read and cut the file again costs some of the next turn.
TURN_S = 10


@dataclass
class DocumentState:
    """A claimed document and what the steps have made of it so far. Ray pickles it between two steps."""

    claim: ClaimedDocument
    loaded: Loaded | None = None
    """Its text, from `load` on."""
    media_type: str = ""
    title: str | None = None
    heading: str = ""
    """What each chunk is embedded with."""
    chunks: list[Chunk] = field(default_factory=list)
    splitter: str = ""
    """What made them, with its settings."""
    space: int = 0
    """The embedding space whose model the chunks fit."""
    gives_way: JobKind | None = None
    """Whether a long one waits for its next turn while another tenant's of this kind waits."""


class WithoutDatabase(Protocol):
    """The services that `load` gets by with, since Ray's load tasks have no database."""

    @property
    def settings(self) -> Settings: ...

    @property
    def blobs(self) -> Blobs: ...


async def ingest(services: Services, claim: ClaimedDocument | ClaimedRechunk) -> None:
    """Take a claimed document, new or stored already, through the steps.

    Raises DocumentError for a fault of the document, LeaseLost if the claim has ended, OtherSpace if the embedding
    model is being switched, and TurnOver if another tenant's turn has come.
    """
    complete = await unless_unchanged(services, claim)
    if complete is None:
        return
    document = DocumentState(complete, gives_way="rechunk" if complete.is_stored else "ingest")
    if services.spaces.stale_reason:
        # It may still be: found out before the file is read, not after.
        await current_space(services)
    for stage in STEPS:
        await run_step(services, document, stage)


async def unless_unchanged(services: Services, claim: ClaimedDocument | ClaimedRechunk) -> ClaimedDocument | None:
    """Return the claim with what is stored of its document; None if it is finished: nothing would change."""
    current = processing(services.settings, services.spaces.current.embedder.encoder.max_tokens)
    found = await stored.read(services.database, claim)
    if isinstance(claim, ClaimedRechunk):
        if found is None or found.made_by(current):
            await stored.finish_unchanged(services.database, claim, found)
            return None
        return found.again(claim)
    if found is None or not found.same(claim):
        return claim
    if not found.made_by(current):
        return replace(claim, title=claim.title or found.given_title, kept_notices=found.kept_notices)
    await stored.finish_unchanged(services.database, claim, found)
    return None


async def run_step(services: Services, document: DocumentState, stage: Stage) -> None:
    await queue.record(services.database, document.claim, stage=stage, chunks=len(document.chunks) or None)
    with services.metrics.work.timed(stage):
        await STEPS[stage](services, document)


async def load(services: WithoutDatabase, document: DocumentState) -> None:
    """Read the document's text from its file."""
    settings, claim = services.settings, document.claim
    async with services.blobs.local(Blob(claim.blob, claim.size, claim.sha256)) as path:
        loaded = await load_file(
            path,
            filename=claim.source,
            media_type=claim.media_type,
            memory_mb=settings.load_memory_mb,
            timeout_s=settings.load_timeout_s,
            max_chars=settings.load_max_chars,
            options=Options(settings.hidden_parts, can_read_scans(settings, claim.ocr), describes(settings)),
        )
    if MARKS_CUT in loaded.warnings:
        log.warning("runs of combining marks were cut", extra={"document": claim.document_id, "kept": MAX_MARKS})
    document.loaded, document.media_type, document.title = loaded, loaded.media_type, claim.title or loaded.title


async def split(services: Services, document: DocumentState) -> None:
    """Cut the text into chunks that the embedding model sees whole."""
    assert document.loaded is not None
    encoder = (space := await current_space(services)).embedder.encoder
    document.space, document.heading = space.number, await asyncio.to_thread(heading, encoder, document.title)
    document.splitter = recorded_splitter(services.settings, encoder.max_tokens, document.loaded, document.claim.ocr)
    tokens, overlap = chunk_size(services.settings, encoder.max_tokens)
    tokens = min(tokens, encoder.max_tokens - encoder.count_tokens([document.heading])[0])
    if services.settings.splitter == "langchain":
        cut = partial(langchain_split.split_text, max_tokens=tokens)
    else:
        cut = partial(split_text, max_tokens=tokens, overlap_tokens=overlap)
    document.chunks = await asyncio.to_thread(_cut, cut, document.loaded, encoder, services.settings.load_timeout_s)


def _cut(cut: Callable[..., list[Chunk]], loaded: Loaded, encoder: Encoder, seconds: float) -> list[Chunk]:
    return cut(loaded, count_tokens=within(encoder.count_tokens, seconds))


async def embed(services: Services, document: DocumentState) -> None:
    """Stage each chunk with its vector, in batches of like length, each committed: a restart resumes after the last.

    A chunk that the stored version has in the same words keeps its vector.
    """
    space = services.spaces.current
    if space.number != document.space and (space := await current_space(services)).number != document.space:
        raise OtherSpace
    database, claim = services.database, document.claim
    waiting = await _not_staged(database, document)
    known = await staging.stored_vectors(database, claim, space=space.number, title=document.title)
    kept = [chunk for chunk in waiting if chunk.text in known]
    if kept:
        await staging.stage(database, claim, kept, np.stack([known[each.text] for each in kept]), space=space.number)
    changed = sorted((chunk for chunk in waiting if chunk.text not in known), key=lambda chunk: chunk.tokens)
    turn = Turn(document.gives_way, time.monotonic() + TURN_S)
    embedder, number = space.embedder, space.number

    async def embedded(batch: list[Chunk]) -> tuple[list[Chunk], Vectors, int]:
        texts = [document.heading + chunk.text for chunk in batch]
        vectors = await embedder.embed(texts, "passage", claim.tenant)
        return batch, vectors, sum(await asyncio.to_thread(embedder.encoder.count_tokens, texts))

    async def stage(made: tuple[list[Chunk], Vectors, int]) -> None:
        batch, vectors, tokens = made
        await staging.stage(database, claim, batch, vectors, space=number, embedded_tokens=tokens)

    await store_in_order(
        [changed[first : first + BATCH_CHUNKS] for first in range(0, len(changed), BATCH_CHUNKS)],
        embedded,
        stage,
        before=partial(turn.give_way, database, claim),
        ahead=-(-embedder.threads * embedder.encoder.passages_at_once // BATCH_CHUNKS),
    )


async def _not_staged(database: Database, document: DocumentState) -> list[Chunk]:
    """Return the chunks that no earlier attempt has embedded."""
    staged = await staging.staged(database, document.claim)
    fitting = {(chunk.ord, chunk.start, chunk.text, document.space) for chunk in document.chunks}
    if not fitting.issuperset(staged):
        # The chunk size, the embedding model or the code is another one since: what is staged does not fit any more.
        await staging.unstage(database, document.claim)
        staged = []
    done = {row[0] for row in staged}
    return [chunk for chunk in document.chunks if chunk.ord not in done]


async def store(services: Services, document: DocumentState) -> None:
    """Publish text and chunks in place of the stored version, whose file goes, and accept what the new one holds."""
    await wait_for_room(services, document.claim.tenant)
    async with holding(services, document.claim, document.loaded) as held:
        analysis, version = await asyncio.to_thread(_prepare, services.analyzer, document, lacking(held))
        await staging.publish(services.database, document.claim, analysis, version, held)


def _prepare(analyzer: Analyzer, document: DocumentState, lacks: str) -> tuple[Analysis, Version]:
    loaded = document.loaded
    assert loaded is not None
    pages = [
        PageSpan(page.number, start, start + len(page.text), page.origins or None, page.head or None, page.foot or None)
        for page, start in zip(loaded.pages, loaded.page_starts(), strict=True)
        if page.number is not None
    ]
    in_order = sorted(document.chunks, key=lambda chunk: chunk.ord)
    terms = [analyzer.chunk_terms(heading_path(document.title, chunk.headings), chunk.text) for chunk in in_order]
    version = Version(
        document.media_type, document.title, loaded.text, pages, loaded.pictures(), document.splitter + lacks,
        document.space, loaded.page_counts, [as_row(notice) for notice in loaded.warnings],
    )  # fmt: skip
    return Analysis(analyzer.name, terms), version


async def load_whole(services: Services, document: DocumentState) -> None:
    await load(services, document)
    await read_scanned_pages(services, document)


async def read_scanned_pages(services: Services, document: DocumentState) -> None:
    """Read by OCR the pages that have no text of their own, and have pictures described."""
    assert document.loaded is not None
    turn = Turn(document.gives_way, time.monotonic() + TURN_S)
    read = await read_scans(services, document.claim, document.loaded, turn)
    document.loaded = await describe_pictures(services, document.claim, read, turn)


Step = Callable[[Services, DocumentState], Awaitable[None]]
STEPS: dict[Stage, Step] = {"load": load_whole, "split": split, "embed": embed, "store": store}

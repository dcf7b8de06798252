"""The way of a document: load, split, embed, store. Every step may be repeated."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence

import numpy as np

from app.embedding import Encoder
from app.language.analyzer import Analyzer
from app.language.marks import MAX_MARKS
from app.retrieval.live_spaces import OpenSpace
from app.services import Services
from app.settings import Settings
from app.storage.blobs import Blobs
from app.storage.spaces import OtherSpace
from ingest import staging
from ingest.jobs import queue
from ingest.jobs.queue import ClaimedDocument
from ingest.loading.load import Loaded, load
from ingest.split import Piece, split
from ingest.staging import Analysis

log = logging.getLogger("kyujang.ingest")

BATCH_CHUNKS = 16


async def ingest(services: Services, work: ClaimedDocument) -> None:
    """Raises DocumentError for what is wrong with the document, LeaseLost if it is no longer ours, OtherSpace if the
    embedding model is being switched."""
    if await end_unchanged(services, work):
        return
    space = await current_space(services)
    await queue.progress(services.database, work, stage="load")
    loaded = await load_document(services.settings, services.blobs, work)
    title = work.title or loaded.title
    head = await asyncio.to_thread(heading, space.embedder.encoder, title)
    pieces = await split_document(services, work, space.embedder.encoder, loaded, head)
    await embed_document(services, work, space, pieces, title=title, head=head)
    await store_document(services, work, pieces, space=space.number, media_type=loaded.media_type, title=title)


async def end_unchanged(services: Services, work: ClaimedDocument) -> bool:
    """Whether the same bytes are there already, which ends it."""
    if not await staging.is_stored(services.database, work):
        return False
    await staging.finish_unchanged(services.database, work)
    await services.blobs.remove([work.blob])
    return True


async def current_space(services: Services) -> OpenSpace:
    await services.spaces.refresh(ahead=False)
    if services.spaces.behind:
        raise OtherSpace(services.spaces.behind)
    return services.spaces.current


async def load_document(settings: Settings, blobs: Blobs, work: ClaimedDocument) -> Loaded:
    loaded = await load(
        blobs.locate(work.blob),
        filename=work.source,
        media_type=work.media_type,
        memory_mb=settings.load_memory_mb,
        timeout_s=settings.load_timeout_s,
        max_chars=settings.load_max_chars,
    )
    if loaded.marks_cut:
        log.warning("runs of combining marks were cut", extra={"document": work.document_id, "kept": MAX_MARKS})
    return loaded


def heading(encoder: Encoder, title: str | None) -> str:
    """Put before each chunk for embedding, since what a chunk is about often stands in the title alone.

    Empty if it would take more than a quarter of what the model sees.
    """
    line = f"{title}\n" if title else ""
    return line if encoder.count_tokens([line])[0] <= encoder.max_tokens // 4 else ""


async def split_document(
    services: Services, work: ClaimedDocument, encoder: Encoder, loaded: Loaded, head: str
) -> list[Piece]:
    await queue.progress(services.database, work, stage="split")
    limit, overlap = chunk_size(services.settings, encoder)
    limit = min(limit, encoder.max_tokens - encoder.count_tokens([head])[0])
    pieces = await asyncio.to_thread(
        split, loaded, count_tokens=encoder.count_tokens, max_tokens=limit, overlap_tokens=overlap
    )
    await queue.progress(services.database, work, stage="embed", chunks=len(pieces))
    return pieces


async def embed_document(
    services: Services,
    work: ClaimedDocument,
    space: OpenSpace,
    pieces: Sequence[Piece],
    *,
    title: str | None,
    head: str,
) -> None:
    """Batches of like length, each committed, so that a restart resumes after the last one.

    What the stored version has in the same words keeps its vector.
    """
    there = await staging.staged(services.database, work)
    fitting = {(piece.ord, piece.start, piece.stop, space.number) for piece in pieces}
    if not fitting.issuperset(there):
        # Another chunk size, embedding model or version since: what is staged does not fit any more.
        await staging.unstage(services.database, work)
        there = []
    done = {row[0] for row in there}
    waiting = [piece for piece in pieces if piece.ord not in done]
    known = await staging.stored_vectors(services.database, work, space=space.number, title=title)
    kept = [piece for piece in waiting if piece.text in known]
    if kept:
        vectors = np.stack([known[piece.text] for piece in kept])
        await staging.stage(services.database, work, kept, vectors, space=space.number)
    changed = sorted((piece for piece in waiting if piece.text not in known), key=lambda piece: piece.tokens)
    for first in range(0, len(changed), BATCH_CHUNKS):
        batch = changed[first : first + BATCH_CHUNKS]
        vectors = await space.embedder.embed([head + piece.text for piece in batch], "passage")
        await staging.stage(services.database, work, batch, vectors, space=space.number)


async def store_document(
    services: Services,
    work: ClaimedDocument,
    pieces: Sequence[Piece],
    *,
    space: int,
    media_type: str,
    title: str | None,
) -> None:
    analysis = await asyncio.to_thread(_analyse, services.analyzer, title, pieces)
    await queue.progress(services.database, work, stage="store")
    old_blob = await staging.publish(services.database, work, analysis, space=space, media_type=media_type, title=title)
    if old_blob is not None:
        await services.blobs.remove([old_blob])


def _analyse(analyzer: Analyzer, title: str | None, pieces: Sequence[Piece]) -> Analysis:
    in_order = sorted(pieces, key=lambda piece: piece.ord)
    return Analysis(analyzer.name, [analyzer.chunk_terms(title, piece.text) for piece in in_order])


def chunk_size(settings: Settings, encoder: Encoder) -> tuple[int, int]:
    """(tokens, overlap): 220/32 for a model of 256 tokens, 400/60 for one of 512 or more; never above its limit."""
    tokens = settings.chunk_tokens or (400 if encoder.max_tokens >= 512 else encoder.max_tokens * 220 // 256)
    tokens = min(tokens, encoder.max_tokens)
    overlap = settings.chunk_overlap if settings.chunk_overlap is not None else tokens * 3 // 20
    return tokens, min(overlap, tokens // 2)

"""What the processes of a Ray cluster run: the stages of ingest/pipeline.py, a document at a time.

Ray may run a stage twice when a node dies, and a stage may go on after its run was given up. Neither does harm: what
is written is written under the document's claim, and batches of chunks that are stored already are not made again.
"""

from __future__ import annotations

import asyncio
import os
import pickle
import socket
from collections.abc import Coroutine
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from threading import Thread
from typing import Any, TypeVar

from app import logs
from app.bootstrap import open_services
from app.errors import DocumentError, DocumentErrorCode
from app.services import Services
from app.settings import Settings
from app.storage.blobs import Blobs
from app.storage.spaces import OtherSpace
from ingest.jobs.queue import ClaimedDocument
from ingest.jobs.retry import handle_failure
from ingest.loading.load import Loaded
from ingest.pipeline import current_space, embed_document, heading, load_document, split_document, store_document
from ingest.split import Piece

T = TypeVar("T")
Row = dict[str, bytes]


@dataclass
class Passing:
    """A document between two stages, and what they have made of it so far."""

    work: ClaimedDocument
    loaded: Loaded | None = None
    title: str | None = None
    media_type: str = ""
    head: str = ""
    pieces: list[Piece] = field(default_factory=list)
    space: int = 0
    refusal: tuple[DocumentErrorCode, str] | None = None
    ended: bool = False
    """Its claim is settled: the stages after let it pass."""
    broken: str | None = None
    """Why this node cannot ingest anything."""


def pack(document: Passing) -> Row:
    """Bytes: an object that Arrow cannot take lands in Ray's logs, text and all."""
    return {"document": pickle.dumps(document)}


def unpack(row: Row) -> Passing:
    document: Passing = pickle.loads(row["document"])  # noqa: S301 - this run's own
    return document


def load_stage(row: Row, settings: Settings) -> Row:
    """A task, without a connection to the database: what it finds wrong with a document the next stage settles."""
    document = unpack(row)
    blobs = Blobs(settings.blobs)
    if not os.access(blobs.locate(document.work.blob).parent, os.R_OK | os.X_OK):
        document.broken = f"{socket.gethostname()} cannot read {settings.blobs}: share that folder with every node."
        return pack(document)
    try:
        document.loaded = asyncio.run(load_document(settings, blobs, document.work))
    except DocumentError as error:
        document.refusal = (error.document_code, error.detail)
    return pack(document)


class Stage:
    """An actor: its services are opened once, on an event loop in a thread, where their connections stay alive."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._services: Services | None = None
        self._exit = AsyncExitStack()
        self._loop = asyncio.new_event_loop()
        Thread(target=self._loop.run_forever, daemon=True).start()

    def __call__(self, row: Row) -> Row:
        document = unpack(row)
        if not document.ended and not document.broken:
            self._run(self._carry_out(document))
        return pack(document)

    def _run(self, coroutine: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result()

    async def _carry_out(self, document: Passing) -> None:
        logs.request_id.set(document.work.job_id)
        logs.tenant_id.set(str(document.work.tenant))
        try:
            services = await self._open()
        except Exception as error:
            document.broken = f"{socket.gethostname()}: {error}"
            return
        try:
            if document.refusal:
                raise DocumentError(*document.refusal)
            await self.take(services, document)
        except Exception as error:
            document.loaded, document.pieces, document.ended = None, [], True
            await handle_failure(services, document.work, error)

    async def _open(self) -> Services:
        if self._services is None:
            logs.configure(self._settings.log_level)
            self._services = await self._exit.enter_async_context(open_services(self._settings))
        return self._services

    async def take(self, services: Services, document: Passing) -> None:
        raise NotImplementedError


class Split(Stage):
    async def take(self, services: Services, document: Passing) -> None:
        assert document.loaded is not None
        space = await current_space(services)
        document.space = space.number
        document.media_type = document.loaded.media_type
        document.title = document.work.title or document.loaded.title
        encoder = space.embedder.encoder
        document.head = await asyncio.to_thread(heading, encoder, document.title)
        document.pieces = await split_document(services, document.work, encoder, document.loaded, document.head)
        document.loaded = None


class Embed(Stage):
    async def take(self, services: Services, document: Passing) -> None:
        space = await current_space(services)
        if space.number != document.space:
            raise OtherSpace
        await embed_document(services, document.work, space, document.pieces, title=document.title, head=document.head)


class Store(Stage):
    async def take(self, services: Services, document: Passing) -> None:
        await store_document(
            services,
            document.work,
            document.pieces,
            space=document.space,
            media_type=document.media_type,
            title=document.title,
        )
        document.pieces, document.ended = [], True

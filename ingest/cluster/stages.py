"""What the processes of a Ray cluster run: the steps of ingest/pipeline.py, a document at a time.

Ray may run a stage twice when a node dies, and a stage may go on after its run was given up. Neither does harm: what
is written is written under the document's claim, and batches of chunks that are stored already are not made again.
"""

from __future__ import annotations

import asyncio
import os
import pickle
import socket
from contextlib import AsyncExitStack
from dataclasses import dataclass
from threading import Thread

from app import logs
from app.bootstrap import open_services
from app.errors import DocumentError, DocumentErrorCode
from app.services import Services
from app.settings import Settings
from app.storage.blobs import Blobs
from app.storage.jobs import Stage
from ingest import pipeline
from ingest.jobs.queue import ClaimedDocument
from ingest.jobs.retry import handle_failure
from ingest.pipeline import DocumentState, run_step

Row = dict[str, bytes]


@dataclass
class Passing:
    """What goes from stage to stage. Without a document its claim has ended."""

    document: DocumentState | None
    refusal: tuple[DocumentErrorCode, str] | None = None
    """What the load stage found wrong: it has no database, so the next stage records it."""
    broken: str | None = None
    """Why this node cannot ingest anything."""


@dataclass(frozen=True)
class NodeFiles:
    settings: Settings
    blobs: Blobs


def pack(passing: Passing) -> Row:
    """Bytes: an object that Arrow cannot take lands in Ray's logs, text and all."""
    return {"document": pickle.dumps(passing)}


def unpack(row: Row) -> Passing:
    passing: Passing = pickle.loads(row["document"])  # noqa: S301 - this run's own
    return passing


def begin(claim: ClaimedDocument) -> Row:
    return pack(Passing(DocumentState(claim)))


def load(row: Row, settings: Settings) -> Row:
    """Run as a task, without a connection to the database."""
    passing, files = unpack(row), NodeFiles(settings, Blobs(settings.blobs))
    document = passing.document
    assert document is not None
    if not os.access(files.blobs.locate(document.claim.blob).parent, os.R_OK | os.X_OK):
        passing.broken = f"{socket.gethostname()} cannot read {settings.blobs}: share that folder with every node."
        return pack(passing)
    try:
        asyncio.run(pipeline.load(files, document))
    except DocumentError as error:
        passing.refusal = (error.document_code, error.detail)
    return pack(passing)


class Step:
    """Run a step as an actor, whose services are opened once, on an event loop in a thread, which keeps them alive."""

    def __init__(self, stage: Stage, settings: Settings) -> None:
        self._stage, self._settings = stage, settings
        self._services: Services | None = None
        self._exit = AsyncExitStack()
        self._loop = asyncio.new_event_loop()
        Thread(target=self._loop.run_forever, daemon=True).start()

    def __call__(self, row: Row) -> Row:
        passing = unpack(row)
        if passing.document is not None and not passing.broken:
            asyncio.run_coroutine_threadsafe(self._run(passing, passing.document), self._loop).result()
        return pack(passing)

    async def _run(self, passing: Passing, document: DocumentState) -> None:
        logs.request_id.set(document.claim.job_id)
        logs.tenant_id.set(str(document.claim.tenant))
        try:
            services = await self._open()
        except Exception as error:
            passing.broken = f"{socket.gethostname()}: {error}"
            return
        try:
            if passing.refusal:
                raise DocumentError(*passing.refusal)
            await run_step(services, document, self._stage)
            if self._stage == "store":
                passing.document = None
        except Exception as error:
            passing.document = None
            await handle_failure(services, document.claim, error)

    async def _open(self) -> Services:
        if self._services is None:
            logs.configure(self._settings.log_level)
            self._services = await self._exit.enter_async_context(open_services(self._settings))
        return self._services

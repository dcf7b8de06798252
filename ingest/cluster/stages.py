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
from typing import Any

from app import logs
from app.bootstrap import open_services
from app.errors import DocumentError, DocumentErrorCode
from app.services import Services
from app.settings import Settings
from app.storage.blobs import Blobs
from app.storage.jobs import Stage
from app.storage.object_blobs import open_blobs
from app.storage.object_storage import StorageUnavailable, open_object_storage
from ingest import pipeline
from ingest.jobs.retry import handle_failure
from ingest.pipeline import DocumentState, run_step

FURTHER: tuple[Stage, ...] = ("split", "embed", "store")

Row = dict[str, Any]
"""Documents are bytes: Ray logs an object that Arrow cannot hold, text and all."""


@dataclass(frozen=True)
class NodeFiles:
    settings: Settings
    blobs: Blobs


def load(row: Row, settings: Settings) -> Row:
    """Run the first step as a task. It has no database: what it finds wrong the next stage records."""
    document, files = DocumentState(pickle.loads(row["claim"])), _node_files(settings)  # noqa: S301
    refusal, broken = None, ""
    shared = (settings.blobs / document.claim.blob).parent
    if settings.storage is None and not os.access(shared, os.R_OK | os.X_OK):
        broken = f"{socket.gethostname()} cannot read {settings.blobs}: share that folder with every node."
    else:
        try:
            asyncio.run(pipeline.load(files, document))
        except DocumentError as error:
            refusal = (error.document_code, error.detail)
        except StorageUnavailable as error:
            broken = f"{socket.gethostname()}: {error.reason}"
    return {"document": pickle.dumps((document, refusal)), "broken": broken}


def _node_files(settings: Settings) -> NodeFiles:
    storage = open_object_storage(settings.storage) if settings.storage else None
    return NodeFiles(settings, open_blobs(settings, storage))


class FurtherSteps:
    """Run the other steps as an actor, whose services are opened once, on an event loop in a thread of its own."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._services: Services | None = None
        self._exit = AsyncExitStack()
        self._loop = asyncio.new_event_loop()
        Thread(target=self._loop.run_forever, daemon=True).start()

    def __call__(self, row: Row) -> Row:
        """Return why this node cannot ingest anything, if that is so."""
        if row["broken"]:
            return {"broken": row["broken"]}
        work = self._finish(*pickle.loads(row["document"]))  # noqa: S301 - this run's own
        return {"broken": asyncio.run_coroutine_threadsafe(work, self._loop).result()}

    async def _finish(self, document: DocumentState, refusal: tuple[DocumentErrorCode, str] | None) -> str:
        logs.request_id.set(document.claim.job_id)
        logs.tenant_id.set(str(document.claim.tenant))
        try:
            if self._services is None:
                logs.configure(self._settings.log_level)
                self._services = await self._exit.enter_async_context(open_services(self._settings))
        except Exception as error:
            return f"{socket.gethostname()}: {error}"
        try:
            if refusal:
                raise DocumentError(*refusal)
            await pipeline.read_scanned_pages(self._services, document)
            for step in FURTHER:
                await run_step(self._services, document, step)
        except Exception as error:
            await handle_failure(self._services, document.claim, error)
        return ""

"""Makes the files of folders documents: sends what is new or changed, deletes what is gone; safe to repeat."""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
import time
import unicodedata
from collections.abc import AsyncIterator, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any, Literal, Protocol

from tqdm import tqdm

from app.errors import KyujangError
from app.storage.notices import OcrMode
from ingest.sync.folder import Source
from ingest.sync.report import AddReport, Ended

FOLDER = "folder"
POLL_S = 0.5
# At most a sixth of the time goes into polling the service.
POLLS_APART = 5
ID_IN_USE = (
    "A document {id!r} with different content exists that was not added from this folder. "
    "Use --prefix, or that folder's --label."
)

FileState = Literal["add", "replace", "unchanged", "taken"]


@dataclass(frozen=True, slots=True)
class Stored:
    """A document as the service holds it."""

    size: int
    sha256: str
    metadata: dict[str, Any]
    outdated: bool
    ocr: OcrMode = "auto"
    collection: str = "default"


class FileRefused(KyujangError):
    """One file cannot be sent; the others may be."""

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(detail)
        self.reason = code


class Target(Protocol):
    """Takes the documents: a service (over_http.py), or its database and folder (in_database.py).

    `batch` documents make a job, and about `window` are on their way at a time.
    """

    batch: int
    window: int

    def documents_in_folder(self, folder: str) -> AsyncIterator[tuple[str, Stored]]: ...

    def documents_by_id(self, ids: Sequence[str]) -> AsyncIterator[tuple[str, Stored]]: ...

    async def accept(self, sources: Sequence[Source], options: Options) -> str:
        """Return the job's id. Raises OSError or FileRefused, and then nothing is accepted."""

    async def ended(self, jobs: Collection[str]) -> list[Ended]:
        """Return the documents of these jobs that are done with all that they hold, each at least once."""

    async def delete(self, document_id: str) -> None: ...


@dataclass(frozen=True, slots=True)
class Options:
    """How to add. `present`: the ids of all files, if documents whose file is gone are to be deleted."""

    metadata: dict[str, Any] | None = None
    ocr: OcrMode = "auto"
    collection: str | None = None
    present: Collection[str] | None = None
    prefix: str = ""
    parallel: int = 4
    wait: bool = True
    dry_run: bool = False


def described(source: Source, metadata: dict[str, Any] | None) -> dict[str, Any] | None:
    """Return the metadata of the file's document, including the folder's label."""
    return metadata if source.folder is None else {**(metadata or {}), FOLDER: source.folder}


async def add(target: Target, sources: Sequence[Source], options: Options, report: AddReport, bar: tqdm[Any]) -> None:
    """Add the files; `report` is kept up to date, so that it holds when this is cancelled, too. Raises KyujangError."""
    stored, own = await _stored(target, sources)
    kept = [each.as_stored(stored) for each in sources]
    gone = _gone(own, kept, options)
    await _Run(target, stored, options, report, bar).run(kept)
    for document_id in gone:
        if options.dry_run:
            report.planned.append(("delete", document_id))
        else:
            await target.delete(document_id)
        report.counts["deleted"] += 1


async def _stored(target: Target, sources: Sequence[Source]) -> tuple[dict[str, Stored], frozenset[str]]:
    """Return the stored documents of these folders and those of others with the same ids; and the ids of the first."""
    stored: dict[str, Stored] = {}
    for folder in sorted({source.folder for source in sources if source.folder is not None}):
        async for document_id, document in target.documents_in_folder(folder):
            stored[document_id] = document
    own = frozenset(stored)
    others = [each for source in sources if own.isdisjoint(source.ids) for each in source.ids]
    async for document_id, document in target.documents_by_id(others):
        stored[document_id] = document
    return stored, own


def _gone(own: frozenset[str], sources: Sequence[Source], options: Options) -> list[str]:
    if options.present is None:
        return []
    prefix = unicodedata.normalize("NFC", options.prefix)
    gone = sorted(each for each in own.difference(options.present) if each.startswith(prefix))
    if gone and own.isdisjoint(source.id for source in sources):
        labels = ", ".join(sorted({repr(source.folder) for source in sources}))
        raise KyujangError(
            f"Nothing is deleted: none of the {len(own)} documents under {labels} is a file here, so this looks like "
            "another folder. Give the --label and --prefix that it was added with."
        )
    return gone


class _Run:
    def __init__(
        self, target: Target, stored: Mapping[str, Stored], options: Options, report: AddReport, bar: tqdm[Any]
    ) -> None:
        self._target, self._stored, self._options = target, stored, options
        self._report, self._bar = report, bar
        self._waiting: dict[str, tuple[str, Source]] = {}
        self._room = asyncio.Event()

    async def run(self, sources: Sequence[Source]) -> None:
        todo = iter(sources)
        try:
            async with asyncio.TaskGroup() as group:
                senders = [group.create_task(self._send(todo)) for _ in range(self._options.parallel)]
                group.create_task(self._follow(senders))
        except ExceptionGroup as errors:
            raise errors.exceptions[0] from None

    async def _send(self, todo: Iterator[Source]) -> None:
        while batch := list(islice(todo, self._target.batch)):
            to_send = [source for source in batch if await self._is_to_be_sent(source)]
            if to_send:
                await self._accept(to_send)
            while len(self._waiting) >= self._target.window:
                self._room.clear()
                await self._room.wait()

    async def _is_to_be_sent(self, source: Source) -> bool:
        wanted = described(source, self._options.metadata)
        try:
            there = self._stored.get(source.id)
            state = await asyncio.to_thread(_state, source, there, wanted, self._options)
        except OSError as error:
            self._fail(source, "unreadable", error.strerror or str(error))
            return False
        if state == "taken":
            self._fail(source, "id_taken", ID_IN_USE.format(id=source.id))
        elif state == "unchanged":
            self._report.counts["unchanged"] += 1
            self._report.outdated += self._stored[source.id].outdated
            self._bar.update()
        elif self._options.dry_run:
            self._report.planned.append((state, source.id))
            self._report.counts["added" if state == "add" else "replaced"] += 1
            self._bar.update()
        else:
            return True
        return False

    async def _accept(self, sources: Sequence[Source]) -> None:
        try:
            job = await self._target.accept(sources, self._options)
        except (FileRefused, OSError) as error:
            if len(sources) > 1:
                for each in sources:
                    await self._accept([each])
            elif isinstance(error, FileRefused):
                self._fail(sources[0], error.reason, error.detail)
            else:
                self._fail(sources[0], "unreadable", error.strerror or str(error))
            return
        self._report.accepted += len(sources)
        if self._options.wait:
            self._waiting.update({source.id: (job, source) for source in sources})
            self._report.waiting = len(self._waiting)
        else:
            self._bar.update(len(sources))

    async def _follow(self, senders: Collection[asyncio.Task[None]]) -> None:
        while self._waiting or not all(each.done() for each in senders):
            started = time.monotonic()
            for ended in await self._target.ended({job for job, _ in self._waiting.values()}):
                if ended.id in self._waiting:
                    _, source = self._waiting.pop(ended.id)
                    self._end(source, ended)
            self._report.waiting = len(self._waiting)
            self._room.set()
            pause = max(POLL_S, POLLS_APART * (time.monotonic() - started))
            if all(each.done() for each in senders):
                await asyncio.sleep(pause)
            else:
                await asyncio.wait(senders, timeout=pause)

    def _end(self, source: Source, ended: Ended) -> None:
        if ended.status in ("failed", "cancelled"):
            return self._fail(source, ended.code or ended.status, ended.detail or "It was cancelled.")
        self._report.counts["replaced" if source.id in self._stored else "added"] += 1
        self._report.warn(ended.warnings)
        for each in ended.failed_members:
            self._report.fail(f"{source.path}{each.id.removeprefix(source.id)}", each.code, each.detail)
        self._bar.update()

    def _fail(self, source: Source, code: str, detail: str) -> None:
        self._report.fail(str(source.path), code, detail)
        self._bar.set_postfix(failed=self._report.counts["failed"], refresh=False)
        self._bar.update()


def _state(source: Source, there: Stored | None, wanted: dict[str, Any] | None, options: Options) -> FileState:
    """Compare a file with its document. Raises OSError."""
    with source.path.open("rb") as content:
        if there is None:
            return "add"
        same_size = os.fstat(content.fileno()).st_size == there.size
        same = same_size and hashlib.file_digest(content, "sha256").hexdigest() == there.sha256
    if there.metadata.get(FOLDER) != source.folder:
        return "unchanged" if same else "taken"
    same = same and there.ocr == options.ocr and options.collection in (None, there.collection)
    return "unchanged" if same and _as_json(there.metadata) == _as_json(wanted) else "replace"


def _as_json(value: object) -> str:
    """Return text to compare: to Python 1 equals True."""
    return json.dumps(value, sort_keys=True)

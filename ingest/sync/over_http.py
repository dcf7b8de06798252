"""Adds over HTTP, to a running service."""

from __future__ import annotations

import asyncio
import json
import random
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any
from urllib.parse import quote

import httpx

from app.cli.client import FINISHED, ServiceRefused, call_async, document_path, list_all_async, open_async_client
from app.settings import Settings
from app.storage.collections import DEFAULT
from app.storage.notices import codes
from ingest.sync.folder import Source, file_name
from ingest.sync.report import Ended
from ingest.sync.sync import FileRefused, Options, Stored, described

PAGE = 200
ASKED_ONE_BY_ONE = 8
# In one filter: the service accepts 200 values, and a proxy 8 KB of a request line.
IDS_AT_ONCE, ID_BYTES_AT_ONCE = 150, 6000
PASSING = frozenset({429, 502, 503, 504})
# Answers about one file; any other is about all of them.
ABOUT_THE_FILE = frozenset({400, 409, 413, 415, 422, 500})
RETRY_DELAYS_S = (0.5, 1, 2, 4, 8, 15, 30)
MAX_RETRY_AFTER_S = 120


@asynccontextmanager
async def open_http_target(settings: Settings, *, url: str | None, key: str | None) -> AsyncIterator[HttpTarget]:
    """Connect to the service. Raises ServiceRefused if it does not answer."""
    async with open_async_client(settings, url=url, key=key) as client:
        limits = await call_async(client, "GET", "/limits")
        yield HttpTarget(client, max_upload_bytes=limits["max_upload_bytes"])


class HttpTarget:
    """Sends one file a request: POST /ingest accepts an id with one file only."""

    batch = 1
    # Fewer than one page of jobs, so that it answers for all of them.
    window = 150

    def __init__(self, client: httpx.AsyncClient, *, max_upload_bytes: int) -> None:
        self._client = client
        self._max_upload_bytes = max_upload_bytes
        self._documents: dict[str, str] = {}

    async def documents_in_folder(self, folder: str) -> AsyncIterator[tuple[str, Stored]]:
        async for each in self._documents_where({"key": "metadata.folder", "op": "eq", "value": folder}):
            yield each

    async def documents_by_id(self, ids: Sequence[str]) -> AsyncIterator[tuple[str, Stored]]:
        for some in _portions(ids):
            async for each in self._documents_where({"key": "document_id", "op": "in", "value": some}):
                yield each

    async def accept(self, sources: Sequence[Source], options: Options) -> str:
        (source,) = sources
        fields = {"id": source.id} | ({"ocr": options.ocr} if options.ocr != "auto" else {})
        fields |= {"collection": options.collection} if options.collection else {}
        if (wanted := described(source, options.metadata)) is not None:
            fields["metadata"] = json.dumps(wanted)
        # The limit counts the whole request, and the service breaks the connection at it.
        if source.path.stat().st_size > self._max_upload_bytes - len(fields.get("metadata", "")) - 2048:
            limit = self._max_upload_bytes >> 20
            raise FileRefused(
                "too_large", f"It is larger than {limit} MB, the service's limit (KYUJANG_MAX_UPLOAD_MB)."
            )

        async def send() -> Any:
            # The same bytes under an id are ingested once, so a broken request may be repeated.
            with source.path.open("rb") as content:
                file = (file_name(source), content)
                return await call_async(self._client, "POST", "/ingest", data=fields, files={"file": file})

        try:
            job = await _with_retries(send)
        except ServiceRefused as refused:
            if refused.status_code in ABOUT_THE_FILE:
                raise FileRefused(refused.problem_code or str(refused.status_code), refused.detail) from None
            raise
        self._documents[job["id"]] = source.id
        return str(job["id"])

    async def ended(self, jobs: Collection[str]) -> list[Ended]:
        """Return what has ended, in a number of requests that does not grow with the documents.

        Few jobs are asked for one by one. Of many, one request answers for the newest, and a random few of the others
        are asked for.
        """
        listed: dict[str, dict[str, Any]] = {}
        one_by_one = list(jobs)
        if len(jobs) > ASKED_ONE_BY_ONE:
            page = await self._call("GET", "/jobs", params={"limit": PAGE})
            listed = {each["id"]: each for each in page["data"] if each["id"] in jobs}
            unseen = [each for each in jobs if each not in listed]
            one_by_one = random.sample(unseen, min(len(unseen), ASKED_ONE_BY_ONE))
        done = [await self._end(job) for job in listed.values() if job["status"] in FINISHED]
        for each in one_by_one:
            job = await self._call("GET", f"/jobs/{each}")
            if job["status"] in FINISHED:
                done.append(await self._end(job))
        return done

    async def delete(self, document_id: str) -> None:
        try:
            await self._call("DELETE", document_path(document_id))
        except ServiceRefused as refused:
            if refused.status_code != 404:
                raise

    async def _end(self, job: dict[str, Any]) -> Ended:
        document_id = self._documents.pop(job["id"])
        if job["status"] == "succeeded" and not job.get("with_warnings"):
            return Ended(document_id, "succeeded")
        if "documents" not in job:
            job = await self._call("GET", f"/jobs/{job['id']}")
        first, *held = map(_as_ended, job["documents"])
        failed = [each for each in held if each.status == "failed"]
        return replace(first, id=document_id, failed_members=failed)

    async def _documents_where(self, where: dict[str, Any]) -> AsyncIterator[tuple[str, Stored]]:
        filters = json.dumps(where, ensure_ascii=False)
        async for each in list_all_async(self._call, "/documents", limit=PAGE, filters=filters):
            # What a mail or an archive holds is no file of the folder.
            if each.get("parent") is None:
                outdated, ocr = each.get("outdated", False), each.get("ocr", "auto")
                collection = each.get("collection", DEFAULT)
                yield each["id"], Stored(each["bytes"], each["sha256"], each["metadata"], outdated, ocr, collection)

    async def _call(self, method: str, path: str, **options: Any) -> Any:
        return await _with_retries(lambda: call_async(self._client, method, path, **options))


def _as_ended(document: dict[str, Any]) -> Ended:
    error = document["error"] or {"code": "", "detail": ""}
    found = codes(document.get("warnings", []))
    return Ended(document["id"], document["status"], error["code"], error["detail"], found)


def _portions(ids: Sequence[str]) -> Iterator[list[str]]:
    portion: list[str] = []
    used = 0
    for each in ids:
        size = len(quote(json.dumps([each], ensure_ascii=False)))
        if portion and (len(portion) == IDS_AT_ONCE or used + size > ID_BYTES_AT_ONCE):
            yield portion
            portion, used = [], 0
        portion.append(each)
        used += size
    if portion:
        yield portion


async def _with_retries(request: Callable[[], Awaitable[Any]]) -> Any:
    """Repeat the request while the service is busy or unreachable, for about a minute or as long as it asks for."""
    for delay in RETRY_DELAYS_S:
        try:
            return await request()
        except ServiceRefused as refused:
            if refused.status_code is not None and refused.status_code not in PASSING:
                raise
            wait = min(refused.retry_after_s, MAX_RETRY_AFTER_S) or delay
        await asyncio.sleep(wait * random.uniform(1, 1.25))
    return await request()

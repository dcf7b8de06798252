"""Ingest a corpus through POST /ingest, in batches. The same corpus again is unchanged, and quick."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import httpx
from tqdm import tqdm

from app.cli.client import FINISHED, POLL_S, ServiceRefused, call
from app.evaluation.questions import BadFile, CorpusDocument

BATCH_DOCUMENTS = 200
SEARCHABLE = ("succeeded", "unchanged")


def ingest_corpus(
    client: httpx.Client, documents: Sequence[CorpusDocument], limits: Mapping[str, int]
) -> list[tuple[str, str]]:
    """Wait until the documents are searchable; return (id, reason) of those that are not. Raises KyujangError."""
    failures = []
    with tqdm(total=len(documents), unit="document", disable=None if documents else True) as bar:
        jobs = [_send(client, batch) for batch in _batches(documents, limits)]
        for job_id, size in jobs:
            before = bar.n
            job = call(client, "GET", f"/jobs/{job_id}")
            while job["status"] not in FINISHED:
                counts = job["counts"]
                bar.update(before + counts["total"] - counts["queued"] - counts["running"] - bar.n)
                time.sleep(POLL_S)
                job = call(client, "GET", f"/jobs/{job_id}")
            bar.update(before + size - bar.n)
            failures += [(each["id"], _reason(each)) for each in job["documents"] if each["status"] not in SEARCHABLE]
    return failures


def _reason(document: Mapping[str, Any]) -> str:
    error = document["error"]
    return f"{error['code']}: {error['detail']}" if error else str(document["status"])


def _send(client: httpx.Client, batch: Sequence[Mapping[str, Any]]) -> tuple[str, int]:
    try:
        job = call(client, "POST", "/ingest", json={"documents": batch})
    except ServiceRefused as refused:
        if refused.status_code != 422:
            raise
        raise BadFile(
            f"The corpus was refused with {refused.detail} (of the documents {batch[0]['id']!r} to {batch[-1]['id']!r})"
        ) from None
    return job["id"], len(batch)


def _batches(documents: Sequence[CorpusDocument], limits: Mapping[str, int]) -> Iterator[list[dict[str, Any]]]:
    room = limits["max_json_bytes"] - len('{"documents": []}')
    batch: list[dict[str, Any]] = []
    used = 0
    for document in documents:
        fields = document.model_dump(exclude_none=True)
        size = len(json.dumps(fields, ensure_ascii=False).encode()) + len(", ")
        if size > room:
            raise BadFile(f"The document {document.id!r} is larger than {limits['max_json_bytes']} bytes, the limit.")
        if batch and (used + size > room or len(batch) == BATCH_DOCUMENTS):
            yield batch
            batch, used = [], 0
        batch.append(fields)
        used += size
    if batch:
        yield batch

"""The service that is asked: started as `make up` starts it, or one that runs already; with the corpora taken in."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import httpx

from app.cli.client import call
from app.evaluation.corpus import ingest_corpus
from app.evaluation.questions import CorpusDocument
from bench import stack
from bench.service import plain_environment


@contextmanager
def started(home: Path, engine: str, documents: Sequence[CorpusDocument]) -> Iterator[httpx.Client]:
    with stack.started(home, plain_environment(), engine=engine) as (url, _), running(url, None, documents) as client:
        yield client


@contextmanager
def running(url: str, key: str | None, documents: Sequence[CorpusDocument]) -> Iterator[httpx.Client]:
    headers = {"Authorization": f"Bearer {key}"} if key else {}
    with httpx.Client(base_url=url, headers=headers, timeout=600) as client:
        failures = ingest_corpus(client, documents, call(client, "GET", "/limits"))
        if failures:
            raise SystemExit(f"{len(failures)} documents were not ingested, such as {': '.join(failures[0])}")
        yield client


def has_engine(client: httpx.Client) -> bool:
    """The details of /readyz are the operator's: with a tenant's key there is taken to be one."""
    dependencies: dict[str, str] = call(client, "GET", "/readyz").get("dependencies", {})
    return not dependencies.get("engine", "").startswith("none")

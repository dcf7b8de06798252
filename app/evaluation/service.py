"""The running service as an evaluation sees it: which documents it has, how it ranks them. Over HTTP, as users do."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, TypeVar

import httpx
from tqdm import tqdm

from app.cli.client import ServiceRefused, call, document_path, list_all
from app.errors import KyujangError
from app.evaluation.metrics import DEPTH, measure
from app.evaluation.questions import BadFile, Query, examples_of
from app.evaluation.report import QueryResult

# What a service that knows no modes does.
ONLY_MODE = "default"
ADVICE = "Ingest them first (--corpus, or 'python -m ingest add'), or use the key of the tenant that has them."

Item = TypeVar("Item")
Result = TypeVar("Result")


@dataclass(frozen=True, slots=True)
class SearchMode:
    """`fields` go into the body of /search."""

    name: str
    fields: Mapping[str, str]


def search_modes(client: httpx.Client, wanted: Sequence[str]) -> list[SearchMode]:
    """Return the modes `wanted`, by default the service's own choice, under its name. Raises KyujangError."""
    schema = call(client, "GET", "/openapi.json")
    body = schema["paths"]["/search"]["post"]["requestBody"]["content"]["application/json"]["schema"]
    fields = schema["components"]["schemas"][body["$ref"].rpartition("/")[2]]["properties"]
    mode: dict[str, Any] = fields.get("mode", {})
    if not wanted:
        return [SearchMode(mode.get("default") or ONLY_MODE, {})]
    known = [name for part in (mode, *mode.get("anyOf", [])) for name in part.get("enum", [])]
    if not known:
        raise KyujangError("This service knows one way of searching only: leave --modes out.")
    if unknown := [name for name in wanted if name not in known]:
        raise KyujangError(f"This service has no mode {', '.join(unknown)}; it has {', '.join(known)}.")
    return [SearchMode(name, {"mode": name}) for name in wanted]


def relevant_documents(
    client: httpx.Client, queries: Sequence[Query], *, corpus: set[str], clients: int
) -> dict[str, frozenset[str]]:
    """Return query id → ids of its gold documents. Raises BadFile for those in neither `corpus` nor the service."""
    by_source: dict[str, list[str]] = {}
    if sources := frozenset().union(*(query.gold_sources for query in queries)):
        by_source = _documents_by_source(client)
        if missing := sources - by_source.keys():
            raise BadFile(f"The tenant has no document of {examples_of(missing, 'gold source')}. {ADVICE}")
        if several := {source for source in sources if len(by_source[source]) > 1}:
            raise BadFile(f"{examples_of(several, 'gold source')}: several documents each. Name them in gold_doc_ids.")
    gold = {query.id: query.gold.union(*(by_source[source] for source in query.gold_sources)) for query in queries}
    asked = sorted(frozenset().union(*gold.values()) - corpus)
    found = in_parallel(lambda document: _is_there(client, document), asked, clients, "gold document")
    if unknown := {document for document, there in zip(asked, found, strict=True) if not there}:
        where = "neither in the corpus file nor in the tenant" if corpus else "not in the tenant"
        raise BadFile(f"{examples_of(unknown, 'gold document id')} of {len(asked)} looked up: {where}. {ADVICE}")
    return gold


def _is_there(client: httpx.Client, document: str) -> bool:
    try:
        call(client, "GET", document_path(document))
    except ServiceRefused as refused:
        if refused.status_code in (404, 422):
            return False
        raise
    return True


def _documents_by_source(client: httpx.Client) -> dict[str, list[str]]:
    found: defaultdict[str, list[str]] = defaultdict(list)
    for document in list_all(client, "/documents", limit=200):
        found[document["source"]].append(document["id"])
    return found


def ask(
    client: httpx.Client,
    queries: Sequence[Query],
    gold: Mapping[str, frozenset[str]],
    groups: Mapping[str, str],
    mode: SearchMode,
    *,
    max_top_k: int,
    clients: int,
) -> list[QueryResult]:
    """Ask each query once, `clients` at a time."""

    def search(query: Query) -> QueryResult:
        try:
            ranking, seconds, cut = _search(client, {"input": query.text, **mode.fields}, max_top_k)
        except ServiceRefused as refused:
            if refused.status_code == 422:
                raise BadFile(f"Question {query.id!r} was refused with {refused.detail}") from None
            raise
        return QueryResult(
            query_id=query.id,
            group=groups.get(query.id),
            gold=sorted(gold[query.id]),
            ranking=ranking,
            cut=cut,
            latency_ms=round(seconds * 1000, 2),
            measures=measure(ranking, gold[query.id]),
        )

    return list(in_parallel(search, queries, clients, f"question, {mode.name}"))


def _search(client: httpx.Client, body: dict[str, Any], max_top_k: int) -> tuple[list[str], float, bool]:
    """Return (documents, seconds, whether there may be more): what ten chunks name, as a caller gets them by default.

    Only where these come from fewer than ten documents, as many chunks as the service gives fill up the rest; the time
    is that of the first search.
    """
    started = time.perf_counter()
    chunks = call(client, "POST", "/search", json={**body, "top_k": DEPTH})["contexts"]
    seconds = time.perf_counter() - started
    documents = _documents(chunks)
    if len(documents) == DEPTH or len(chunks) < DEPTH:
        return documents, seconds, False
    more = call(client, "POST", "/search", json={**body, "top_k": max_top_k})["contexts"]
    documents = _documents([*chunks, *more])
    return documents[:DEPTH], seconds, len(documents) < DEPTH and len(more) == max_top_k


def _documents(chunks: Iterable[Mapping[str, Any]]) -> list[str]:
    """Rank the documents by their first chunks."""
    return list(dict.fromkeys(chunk["document_id"] for chunk in chunks))


def in_parallel(work: Callable[[Item], Result], items: Sequence[Item], clients: int, unit: str) -> Iterator[Result]:
    """Yield the results in order, with a progress bar; what has not begun is dropped if one fails."""
    pool = ThreadPoolExecutor(clients)
    try:
        yield from tqdm(pool.map(work, items), total=len(items), unit=unit, disable=None if items else True)
    finally:
        pool.shutdown(cancel_futures=True)

"""Searches by a key that is bound to a part of its tenant, beside the same caller's filter and neither."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from random import Random
from typing import Any

import psycopg

from app.language.analyzer import Analyzer
from app.retrieval.search import Mode
from app.retrieval.stores import bm25
from app.retrieval.stores.pgvector import PgvectorStore
from app.storage import parts
from app.storage.database import Database
from app.storage.filters import Compares, Metadata
from app.storage.keys import create_key
from app.storage.tenancy import TenantNumber, part
from bench.retrieval.build import SPACE, faiss_store
from bench.retrieval.contenders import TOP_K, Contender, Ours, Question
from bench.retrieval.corpus import SHARES, Corpus
from bench.retrieval.home import TENANT, Place
from bench.retrieval.measure import Effort, figures, interleaved, ratio, tenant_numbers, times
from bench.retrieval.over_http import MODES, texts_of
from bench.retrieval.progress import say
from bench.retrieval.report import WAYS
from bench.retrieval.truth import Judge, questions
from bench.service import Client, served

HELD = (1.0, 0.5, 0.1, 0.01, 0.001)
STORES = ("pgvector", "faiss", "bm25")


def within(limit: int) -> dict[str, Any]:
    return {"key": "metadata.share", "op": "lt", "value": limit}


class Lexical:
    """Asks by words; which, goes by the row that a question lies close to."""

    def __init__(self, database: Database, terms: Mapping[int, Sequence[str]]) -> None:
        self._database = database
        self._terms = terms

    async def search(self, question: Question) -> Sequence[int]:
        where = None if question.limit is None else Compares(Metadata("share"), "lt", question.limit)
        async with self._database.snapshot(question.tenant) as snapshot:
            hits = await bm25.search(snapshot, question.tenant, self._terms[question.row], TOP_K, where)
        return [hit.chunk for hit in hits]


class Bound:
    """Asks in the part that the question's filter makes, without the filter."""

    def __init__(self, contender: Contender, numbers: Mapping[int, int]) -> None:
        self._contender = contender
        self._numbers = numbers

    async def search(self, question: Question) -> Sequence[int]:
        assert question.limit is not None
        token = part.set(str(self._numbers[question.limit]))
        try:
            return await self._contender.search(plain(question))
        finally:
            part.reset(token)


class Whole:
    """Asks the same of all."""

    def __init__(self, contender: Contender) -> None:
        self._contender = contender

    async def search(self, question: Question) -> Sequence[int]:
        return await self._contender.search(plain(question))


def plain(question: Question) -> Question:
    return Question(question.tenant, question.place, question.vector, question.row, None, 0, 0.0)


async def measure_parts(where: Place, corpus: Corpus, effort: Effort) -> dict[str, Any]:
    """For each part and store: latency and recall under the part, with its filter, and without either."""
    tenants = await tenant_numbers(where, 1)
    limits = [int(share * SHARES) for share in HELD]
    numbers = await _made(where, tenants[0], limits)
    asked = questions(corpus, tenants, effort.questions, limits, seed=1)
    before = questions(corpus, tenants, effort.warm_up, limits, seed=2)
    rows = {question.row for each in (asked, before) for question in each[limits[0]]}
    judge, results = Judge(corpus), {}
    async with _contenders(where, rows, numbers) as everyone:
        for limit, share in zip(limits, HELD, strict=True):
            await interleaved(everyone, before[limit])
            taken, hits = await interleaved(everyone, asked[limit])
            results[f"{share:.1%}"] = {store: _beside(judge, asked[limit], taken, hits, store) for store in STORES}
            say(f"{where.plan.name}, {share:.1%}: {results[f'{share:.1%}']}")
    return results


def _beside(
    judge: Judge,
    asked: Sequence[Question],
    taken: Mapping[str, Sequence[float]],
    hits: Mapping[str, Sequence[Sequence[int]]],
    store: str,
) -> dict[str, Any]:
    names = {way: f"{store}, {way}" for way in WAYS}
    # What words find is no nearest chunk.
    judged = [] if store == "bm25" else ["part", "filter"]
    same = [one == other for one, other in zip(hits[names["part"]], hits[names["filter"]], strict=True)]
    return {way: times(taken[name]) for way, name in names.items()} | {
        "ratio": ratio(taken[names["part"]], taken[names["filter"]]),
        "other_hits": same.count(False),
        "judged": {way: figures(judge, asked, taken[names[way]], hits[names[way]]) for way in judged},
    }


async def _made(where: Place, tenant: TenantNumber, limits: Sequence[int]) -> dict[int, int]:
    """Return the number of each limit's part."""
    async with where.database() as database, database.transaction(tenant) as connection:
        numbers = {limit: await parts.part_of(connection, tenant, within(limit)) for limit in limits}
    with psycopg.connect(where.owner_url, autocommit=True) as owner:
        owner.execute("vacuum analyze part_documents")
    return numbers


@asynccontextmanager
async def _contenders(where: Place, rows: set[int], numbers: Mapping[int, int]) -> AsyncIterator[dict[str, Contender]]:
    async with AsyncExitStack() as stack:
        database = await stack.enter_async_context(where.database())
        (tenant,) = await tenant_numbers(where, 1)
        analyzer, texts = Analyzer("bigrams"), await texts_of(database, tenant, len(rows))
        terms = {row: analyzer.terms(text) for row, text in zip(sorted(rows), texts, strict=True)}
        memory = faiss_store(where.settings.index_files)
        stack.push_async_callback(memory.close)
        everyone: dict[str, Contender] = {
            "pgvector": Ours(database, PgvectorStore(SPACE)),
            "faiss": Ours(database, memory),
            "bm25": Lexical(database, terms),
        }
        yield {
            f"{name}, {how}": each
            for name, contender in everyone.items()
            for how, each in {
                "part": Bound(contender, numbers),
                "filter": contender,
                "neither": Whole(contender),
            }.items()
        }


async def over_http(where: Place, effort: Effort) -> dict[str, Any]:
    """For each part and mode: POST /search with a key that is bound to it, with its filter, and without either."""
    (tenant,) = await tenant_numbers(where, 1)
    results = {}
    async with where.database() as database:
        texts = await texts_of(database, tenant, effort.warm_up + effort.questions)
        whole = (await create_key(database, TENANT.format(0), ["query"])).secret
        with served(where.folder, where.owner_url) as (port, _):
            client = Client(port, whole)
            for share in HELD:
                only = within(int(share * SHARES))
                bound = Client(port, (await create_key(database, TENANT.format(0), ["query"], only=only)).secret)
                ways = {"part": (bound, {}), "filter": (client, {"filters": only}), "neither": (client, {})}
                _searched(ways, texts[: effort.warm_up])
                results[f"{share:.1%}"] = _searched(ways, texts[effort.warm_up :])
                say(f"{where.plan.name} over HTTP, {share:.1%}: {results[f'{share:.1%}']}")
    return results


def _searched(ways: Mapping[str, tuple[Client, dict[str, Any]]], texts: Sequence[str]) -> dict[str, Any]:
    taken: dict[tuple[Mode, str], list[float]] = {(mode, way): [] for mode in MODES for way in ways}
    order = Random(len(texts))
    for text in texts:
        for mode, way in order.sample(list(taken), len(taken)):
            client, more = ways[way]
            started = time.perf_counter()
            client.search(text, mode, TOP_K, **more)
            taken[mode, way].append(1000 * (time.perf_counter() - started))
    return {
        mode: {way: times(taken[mode, way]) for way in ways}
        | {"ratio": ratio(taken[mode, "part"], taken[mode, "filter"])}
        for mode in MODES
    }

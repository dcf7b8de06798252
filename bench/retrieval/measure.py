"""Contenders asked the same questions one after the other, so that what disturbs the machine disturbs all of them."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import count, islice
from random import Random
from statistics import mean, median, quantiles
from typing import Any

from app.storage.database import fetch_all
from app.storage.tenancy import TenantNumber
from bench.retrieval.contenders import Contender, Question, contenders
from bench.retrieval.corpus import SHARES, Corpus
from bench.retrieval.home import TENANT, Place
from bench.retrieval.progress import say
from bench.retrieval.truth import Judge, questions

SELECTIVITIES = (None, 0.5, 0.1, 0.01, 0.001)
CLIENTS = (1, 4, 16)
UNDER_LOAD = {"pgvector", "faiss", "raw pgvector"}
PAIRS = {
    "pgvector / raw pgvector": ("pgvector", "raw pgvector"),
    "faiss / raw faiss": ("faiss", "raw faiss"),
    "RLS / no RLS": ("pgvector", "pgvector, no RLS"),
}
Asked = dict[int | None, list[Question]]


@dataclass(frozen=True)
class Effort:
    questions: int
    warm_up: int
    seconds_under_load: float


async def measure(where: Place, corpus: Corpus, effort: Effort) -> dict[str, Any]:
    """For each selectivity: latency, throughput, recall of each contender, and ratios of medians of pairs."""
    tenants = await tenant_numbers(where, len(corpus.sizes))
    limits = [None if share is None else int(share * SHARES) for share in SELECTIVITIES]
    asked = questions(corpus, tenants, effort.questions, limits, seed=1)
    before = questions(corpus, tenants, effort.warm_up, limits, seed=2)
    judge, results = Judge(corpus), {}
    places = {question.place for question in (*asked[None], *before[None])}
    async with contenders(where, corpus, places) as everyone:
        await _load(everyone, asked, before)
        for limit, share in zip(limits, SELECTIVITIES, strict=True):
            unable = {"raw faiss", "raw pgvector"} if where.plan.raw_shares_the_index else {"raw faiss"}
            able = {name: each for name, each in everyone.items() if limit is None or name not in unable}
            await interleaved(able, before[limit])
            taken, hits = await interleaved(able, asked[limit])
            found = {name: figures(judge, asked[limit], taken[name], hits[name]) for name in able}
            for name in able.keys() & UNDER_LOAD:
                found[name]["qps"] = {
                    str(clients): await _throughput(able[name], asked[limit], clients, effort.seconds_under_load)
                    for clients in CLIENTS
                }
            results["all" if share is None else f"{share:.1%}"] = {"contenders": found, "ratios": _ratios(taken)}
            say(f"{where.plan.name}, {share or 'all'}: " + ", ".join(f"{n} {f['p50']}" for n, f in found.items()))
    return results


async def tenant_numbers(where: Place, count: int) -> list[TenantNumber]:
    async with where.database() as database, database.operator() as connection:
        numbers = {row["slug"]: row["id"] for row in await fetch_all(connection, "select slug, id from tenants")}
    return [numbers[TENANT.format(n)] for n in range(count)]


async def _load(everyone: dict[str, Contender], *asked: Asked) -> None:
    """The index in memory comes with a tenant's first question."""
    first = {question.place: question for each in asked for question in each[None]}
    for question in first.values():
        await everyone["faiss"].search(question)


async def interleaved(
    everyone: dict[str, Contender], asked: Sequence[Question]
) -> tuple[dict[str, list[float]], dict[str, list[Sequence[int]]]]:
    """Milliseconds and hits. In an order drawn anew: who comes first reads the pages that the others then find."""
    taken: dict[str, list[float]] = {name: [] for name in everyone}
    hits: dict[str, list[Sequence[int]]] = {name: [] for name in everyone}
    order = Random(len(asked))
    for question in asked:
        for name in order.sample(list(everyone), len(everyone)):
            started = time.perf_counter()
            found = await everyone[name].search(question)
            taken[name].append(1000 * (time.perf_counter() - started))
            hits[name].append(found)
    return taken, hits


def figures(
    judge: Judge, asked: Sequence[Question], taken: Sequence[float], hits: Sequence[Sequence[int]]
) -> dict[str, Any]:
    recall = [judge.recall(question, found) for question, found in zip(asked, hits, strict=True)]
    wrong = sum(len(set(found)) != question.wanted for question, found in zip(asked, hits, strict=True))
    return {**times(taken), "recall": round(mean(recall), 4), "worst_recall": min(recall), "wrong_count": wrong}


def times(milliseconds: Sequence[float]) -> dict[str, float]:
    return {"p50": round(median(milliseconds), 3), "p95": round(quantiles(milliseconds, n=20)[-1], 3)}


def _ratios(taken: dict[str, list[float]]) -> dict[str, float]:
    pairs = {name: pair for name, pair in PAIRS.items() if taken.keys() >= set(pair)}
    return {name: ratio(taken[ours], taken[raw]) for name, (ours, raw) in pairs.items()}


def ratio(ours: Sequence[float], raw: Sequence[float]) -> float:
    return round(median(mine / its for mine, its in zip(ours, raw, strict=True)), 3)


async def _throughput(contender: Contender, asked: Sequence[Question], clients: int, seconds: float) -> float:
    """Answers a second, of as many clients that each ask again as soon as they are answered."""
    done = count()
    end = time.perf_counter() + seconds
    started = time.perf_counter()

    async def client(first: int) -> None:
        for n in count(first, clients):
            if time.perf_counter() >= end:
                return
            await contender.search(asked[n % len(asked)])
            next(done)

    await asyncio.gather(*map(client, islice(count(), clients)))
    return round(next(done) / (time.perf_counter() - started), 1)

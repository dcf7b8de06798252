"""How well words alone find the right passage, on real questions; the floors are about 0.02 under what was measured."""

from __future__ import annotations

import json
import math
from collections import defaultdict

import pytest

from app.language.analyzer import Analyzer
from app.retrieval.stores import bm25
from tests.conftest import SHARED_DATA, needs_shared_data
from tests.contract.in_postgres import new_tenant
from tests.contract.texts import load_terms

pytestmark = needs_shared_data

ANALYZERS = {"kiwi": Analyzer("kiwi"), "bigrams": Analyzer("bigrams")}


def rows(name: str) -> list[dict]:
    return [json.loads(line) for line in (SHARED_DATA / name).read_text().splitlines()]


def judgements(name: str, queries: list[dict]) -> dict[str, set[str]]:
    if not (SHARED_DATA / name / "qrels.tsv").exists():
        return {query["query_id"]: set(query["gold_doc_ids"]) for query in queries}
    relevant = defaultdict(set)
    for line in (SHARED_DATA / name / "qrels.tsv").read_text().splitlines()[1:]:
        query, document, _ = line.split("\t")
        relevant[query].add(document)
    return relevant


def ndcg(ranked: list[str], relevant: set[str]) -> float:
    gain = sum(1 / math.log2(rank + 2) for rank, document in enumerate(ranked[:10]) if document in relevant)
    return gain / sum(1 / math.log2(rank + 2) for rank in range(min(10, len(relevant))))


@pytest.mark.parametrize(
    ("name", "scheme", "floors", "of_sample"),
    [
        ("en", "bigrams", {"en": 0.885}, {"en": 0.91}),
        ("ko", "kiwi", {"ko-kq": 0.94, "ko-ty": 0.79}, {"ko-kq": 0.945, "ko-ty": 0.88}),
        ("ko", "bigrams", {"ko-kq": 0.94, "ko-ty": 0.77}, {"ko-kq": 0.94, "ko-ty": 0.87}),
        ("scifact", "bigrams", {"": 0.67}, {"": 0.825}),
    ],
)
async def test_bm25_finds_the_passage(services, pytestconfig, name, scheme, floors, of_sample):
    """In the sample every third question, and few passages, among which the right one is found more easily."""
    analyzer, tenant = ANALYZERS[scheme], await new_tenant(services.database)
    corpus, queries = rows(f"{name}/corpus.jsonl"), rows(f"{name}/queries.jsonl")
    relevant = judgements(name, queries)
    if pytestconfig.getoption("--quality") == "sample":
        queries, floors = queries[::3], of_sample
        wanted = set().union(*(relevant[query["query_id"]] for query in queries))
        others = [each for each in corpus if each["doc_id"] not in wanted]
        corpus = [each for each in corpus if each["doc_id"] in wanted] + others[:300]
    await load_terms(
        services.database, tenant, [analyzer.chunk_terms([each["title"]], each["text"]) for each in corpus]
    )
    scores = defaultdict(list)
    async with services.database.snapshot(tenant) as snapshot:
        for query in queries:
            hits = await bm25.search(snapshot, tenant, analyzer.terms(query["text"]), 10)
            ranked = [corpus[hit.chunk]["doc_id"] for hit in hits]
            for part in floors:
                if query["query_id"].startswith(part):
                    scores[part].append(ndcg(ranked, relevant[query["query_id"]]))
    reached = {part: sum(each) / len(each) for part, each in scores.items()}
    assert all(reached[part] >= floor for part, floor in floors.items()), reached
    assert sum(map(len, scores.values())) == len(queries)

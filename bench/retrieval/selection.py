"""Compare what of a ranking is given to a question: more of it, neighbours, few of a document, the first reranked.

    python -m bench.retrieval.selection ../shared/data HOME/models [--reranker FOLDER]

Hybrid search as the service ranks, over paragraphs, of which those of an article are a document; neither a database nor
a service runs. What counts is whether the paragraph that answers is among the contexts, and for a reranker of English
nDCG@10, with its processor time for five paragraphs.
"""

from __future__ import annotations

import argparse
import json
import math
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

import numpy as np

from app.embedding.e5 import E5Encoder
from app.embedding.encoder import Vectors
from app.embedding.packaged.folder import packaged_folder
from app.embedding.text_pairs import PairModel
from app.evaluation.metrics import MEASURES, Values, bootstrap, measure
from app.language.analyzer import Analyzer
from app.language.courtesy import bare_question
from app.retrieval.fusion import fuse
from app.retrieval.match import Hit, TermHit
from app.retrieval.reordering import FIRST
from bench.retrieval.report import table

BATCH = 64
DENSE_WEIGHT = 0.8
DEPTH = 100
TOP = 5
SEED = 1
# (hits, neighbours on each side), and about as many contexts without.
AROUND = ((2, 6), (3, 9), (5, 15))
PER_DOCUMENT = (1, 2, 3)


@dataclass(frozen=True, slots=True)
class Ranked:
    """A question, the place of the paragraph that answers it, and the places of those found, best first."""

    question: str
    gold: int
    found: Sequence[int]


def ranked(corpus: Sequence[dict[str, Any]], queries: Sequence[dict[str, Any]], encoder: E5Encoder) -> list[Ranked]:
    analyzer, places = Analyzer("bigrams"), {row["doc_id"]: place for place, row in enumerate(corpus)}
    holding: defaultdict[str, list[int]] = defaultdict(list)
    for place, row in enumerate(corpus):
        for term in set(analyzer.chunk_terms([row["title"]] if row["title"] else [], row["text"])):
            holding[term].append(place)
    passages = _vectors(encoder, ["\n".join(filter(None, (row["title"], row["text"]))) for row in corpus], "passage")
    asked = _vectors(encoder, [query["text"] for query in queries], "query")
    found = []
    for query, vector in zip(queries, asked, strict=True):
        dense = [Hit(place, float(cosine)) for place, cosine in enumerate(passages @ vector)]
        lexical = _covering(set(analyzer.terms(bare_question(query["text"]))), holding, len(corpus))
        fused = fuse(sorted(dense, key=lambda hit: -hit.score), lexical, dense_weight=DENSE_WEIGHT, top_k=DEPTH)
        found.append(Ranked(query["text"], places[query["gold_doc_ids"][0]], [hit.chunk for hit in fused]))
    return found


def _covering(terms: set[str], holding: dict[str, list[int]], count: int) -> list[TermHit]:
    """Return what holds a term, with the share of the question's information that it holds, as BM25's search does."""
    weights = {
        term: math.log(1 + (count - (held := len(holding.get(term, ()))) + 0.5) / (held + 0.5)) for term in terms
    }
    coverages: defaultdict[int, float] = defaultdict(float)
    for term, weight in weights.items():
        for place in holding.get(term, ()):
            coverages[place] += weight / sum(weights.values())
    return [TermHit(place, 0, coverage) for place, coverage in coverages.items()]


def selections(rows: Sequence[Ranked], titles: Sequence[str]) -> Iterator[tuple[str, float, Values, Values]]:
    """Yield each selection's name, its contexts on average, and whether they hold the answer, beside plain ones."""
    for count in PER_DOCUMENT:
        given = [_shared(row.found, titles, count) for row in rows]
        yield f"{TOP}, {count} of a document", TOP, _held(rows, given), _held(rows, _first(rows, TOP))
    for hits, as_many in AROUND:
        around = [_with_neighbours(row.found[:hits], titles) for row in rows]
        contexts = sum(map(len, around)) / len(around)
        for plain in (hits, as_many):
            name = f"{hits} and their neighbours, beside {plain}"
            yield name, contexts, _held(rows, around), _held(rows, _first(rows, plain))


def _first(rows: Sequence[Ranked], count: int) -> list[Sequence[int]]:
    return [row.found[:count] for row in rows]


def _shared(found: Sequence[int], titles: Sequence[str], count: int) -> list[int]:
    taken, given = Counter[str](), list[int]()
    for place in found:
        if len(given) < TOP and taken[titles[place]] < count:
            taken[titles[place]] += 1
            given.append(place)
    return given


def _with_neighbours(found: Sequence[int], titles: Sequence[str]) -> set[int]:
    beside = {place + step for place in found for step in (-1, 1)}
    nearby = {place for place in beside if 0 <= place < len(titles)}
    documents = {titles[place] for place in found}
    return {*found, *(place for place in nearby if titles[place] in documents)}


def _held(rows: Sequence[Ranked], given: Sequence[Sequence[int] | set[int]]) -> Values:
    return np.array([[float(row.gold in places)] for row, places in zip(rows, given, strict=True)])


def reranked(
    rows: Sequence[Ranked], corpus: Sequence[dict[str, Any]], model: PairModel
) -> tuple[Values, Values, Values]:
    """Return the measures before and after, and milliseconds of processor time."""
    values, milliseconds = [], []
    for row in rows:
        first = row.found[:FIRST]
        started = time.process_time()
        pairs = [(row.question, f"{corpus[place]['title']}\n{corpus[place]['text']}") for place in first]
        scores = [float(reading.logits[0]) for reading in model.read(pairs, FIRST)]
        milliseconds.append(1000 * (time.process_time() - started))
        again = [place for _, place in sorted(zip(scores, first, strict=True), reverse=True)] + [*row.found[FIRST:]]
        values.append([list(measure([*map(str, found)], {str(row.gold)}).values()) for found in (row.found, again)])
    both = np.array(values)
    return both[:, 0], both[:, 1], np.array(milliseconds)


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.retrieval.selection")
    parser.add_argument("data", type=Path, help="holds en and ko")
    parser.add_argument("models", type=Path, help="of a service's home")
    parser.add_argument("--reranker", type=Path, help="a folder for ONNX Runtime, of a model of English")
    parser.add_argument("--reranked", type=int, default=150, help="English questions for it (150)")
    parser.add_argument("--paragraphs", type=int, help="of each language; all")
    options = parser.parse_args(arguments)
    encoder = E5Encoder(packaged_folder(options.models))
    for language in ("en", "ko"):
        corpus, queries = (_rows(options.data / language / f"{name}.jsonl") for name in ("corpus", "queries"))
        corpus = corpus[: options.paragraphs]
        titled = {row["doc_id"] for row in corpus if row["title"]}
        queries = [query for query in queries if query["gold_doc_ids"][0] in titled]
        rows, lines = ranked(corpus, queries, encoder), [["contexts", "on average", "hold the answer", "difference"]]
        for name, contexts, given, plain in selections(rows, [row["title"] for row in corpus]):
            lines.append([name, f"{contexts:.1f}", f"{given.mean():.3f}", _difference(given, plain, 0)])
        print(f"{language}, {len(rows)} questions\n\n{table(lines)}\n", flush=True)
        if options.reranker and language == "en":
            Random(SEED).shuffle(rows)
            model = PairModel(options.reranker, "--reranker", threads=1)
            before, after, milliseconds = reranked(rows[: options.reranked], corpus, model)
            for at, name in enumerate(MEASURES):
                print(f"{name} {before[:, at].mean():.3f} {after[:, at].mean():.3f} {_difference(after, before, at)}")
            print("milliseconds of processor time, p50 and p95:", *np.quantile(milliseconds, [0.5, 0.95]).round())
    return 0


def _difference(one: Values, other: Values, at: int) -> str:
    low, high = bootstrap(one - other)
    return f"{(one - other)[:, at].mean():+.3f} [{low[at]:+.3f}, {high[at]:+.3f}]"


def _rows(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text("utf-8").splitlines()]


def _vectors(encoder: E5Encoder, texts: Sequence[str], kind: Any) -> Vectors:
    parts = [encoder.encode(texts[first : first + BATCH], kind) for first in range(0, len(texts), BATCH)]
    return np.concatenate(parts)


if __name__ == "__main__":
    sys.exit(main())

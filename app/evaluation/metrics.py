"""Measures of a ranking against the documents that are relevant, and how sure their means are."""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence

import numpy as np
from numpy.typing import NDArray

CUTOFFS = (1, 5, 10)
DEPTH = max(CUTOFFS)
MEASURES = (*(f"recall@{cutoff}" for cutoff in CUTOFFS), f"MRR@{DEPTH}", f"nDCG@{DEPTH}")

CONFIDENCE = 0.95
RESAMPLES = 2000
SEED = 0

Values = NDArray[np.float64]


def measure(ranking: Sequence[str], gold: Collection[str]) -> dict[str, float]:
    """Return the MEASURES of one query; `ranking` holds distinct documents, best first. Relevance is binary.

    As trec_eval computes them (`recall`, `recip_rank` on the first ten, `ndcg_cut`):
    recall: the share of the relevant documents among the first k;
    MRR, its mean: 1 / rank of the first relevant one (Voorhees, TREC-8 1999);
    nDCG: gain 1, discounted by log2(rank + 1), over that of the best ranking (Järvelin & Kekäläinen, TOIS 20(4), 2002).
    """
    relevant = [document in gold for document in ranking[:DEPTH]]
    first = next((rank for rank, hit in enumerate(relevant, start=1) if hit), None)
    values = [sum(relevant[:cutoff]) / len(gold) for cutoff in CUTOFFS]
    values.append(1 / first if first else 0.0)
    values.append(_dcg(relevant) / _dcg([True] * min(len(gold), DEPTH)))
    return dict(zip(MEASURES, values, strict=True))


def _dcg(relevant: Sequence[bool]) -> float:
    return sum(1 / math.log2(rank + 1) for rank, hit in enumerate(relevant, start=1) if hit)


def bootstrap(values: Values) -> tuple[Values, Values]:
    """Return the percentile interval (low, high) of each column's mean; `values` is [queries, measures].

    The queries are drawn with replacement, whole rows, so that differences of two runs stay paired
    (Efron & Tibshirani 1993, ch. 13; for retrieval Sakai, SIGIR 2006). The seed is fixed: same run, same interval.
    """
    drawn = np.random.default_rng(SEED)
    count = len(values)
    means = np.array([values[drawn.integers(0, count, count)].mean(axis=0) for _ in range(RESAMPLES)])
    tail = (1 - CONFIDENCE) / 2
    low, high = np.quantile(means, [tail, 1 - tail], axis=0)
    return low, high

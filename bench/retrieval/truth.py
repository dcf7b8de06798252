"""Questions, and what an exact search finds for them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from app.storage.tenancy import TenantNumber
from bench.retrieval.contenders import TOP_K, Question
from bench.retrieval.corpus import BATCH, Corpus, queries

TIE = 1e-6


def questions(
    corpus: Corpus, tenants: Sequence[TenantNumber], count: int, limits: Sequence[int | None], seed: int
) -> dict[int | None, list[Question]]:
    """For each limit the same, each tenant as likely as any other. `tenants` are the database's numbers."""
    rng = np.random.default_rng([seed, len(corpus.chunks)])
    places = np.sort(rng.integers(len(corpus.sizes), size=count))
    slices = list(corpus.rows())
    rows = np.array([rng.integers(slices[place].start, slices[place].stop) for place in places])
    vectors = queries(rng, corpus.vectors[rows])
    asked: dict[int | None, list[Question]] = {limit: [] for limit in limits}
    for place in np.unique(places).tolist():
        its = np.flatnonzero(places == place)
        for limit, (least, matching) in _exact(corpus, slices[place], vectors[its], limits).items():
            asked[limit] += [
                Question(tenants[place], place, vectors[n], int(rows[n]), limit, matching, float(score))
                for n, score in zip(its, least, strict=True)
            ]
    return {limit: _shuffled(found, seed) for limit, found in asked.items()}


def _shuffled(found: list[Question], seed: int) -> list[Question]:
    return [found[n] for n in np.random.default_rng(seed).permutation(len(found))]


def _exact(
    corpus: Corpus, rows: slice, vectors: NDArray[np.float32], limits: Sequence[int | None]
) -> dict[int | None, tuple[NDArray[np.float32], int]]:
    """For each limit: the cosine of each question's last true hit, and how many chunks match."""
    best: dict[int | None, NDArray[np.float32]] = {
        limit: np.full((len(vectors), TOP_K), -2, np.float32) for limit in limits
    }
    matching = dict.fromkeys(limits, 0)
    for first in range(rows.start, rows.stop, BATCH):
        block = slice(first, min(first + BATCH, rows.stop))
        scores = vectors @ _normal(corpus.vectors[block]).T
        for limit in limits:
            kept = scores if limit is None else scores[:, corpus.share[block] < limit]
            matching[limit] += kept.shape[1]
            best[limit] = np.partition(np.hstack([best[limit], kept]), -TOP_K, axis=1)[:, -TOP_K:]
    least = {limit: np.sort(its)[:, TOP_K - min(TOP_K, max(1, matching[limit]))] for limit, its in best.items()}
    return {limit: (least[limit], matching[limit]) for limit in limits}


def _normal(vectors: NDArray[np.float16]) -> NDArray[np.float32]:
    wide = vectors.astype(np.float32)
    normal: NDArray[np.float32] = wide / np.linalg.norm(wide, axis=1, keepdims=True)
    return normal


class Judge:
    def __init__(self, corpus: Corpus) -> None:
        self._corpus = corpus
        self._order = np.argsort(corpus.chunks)
        self._sorted = corpus.chunks[self._order]

    def recall(self, question: Question, hits: Sequence[int]) -> float:
        """A hit counts if no true one is nearer by more than rounding."""
        if question.wanted == 0:
            return 1.0
        if not hits:
            return 0.0
        rows = self._order[np.searchsorted(self._sorted, np.array(hits))]
        right = _normal(self._corpus.vectors[rows]) @ question.vector >= question.least - TIE
        if question.limit is not None:
            right &= self._corpus.share[rows] < question.limit
        return float(right.sum()) / question.wanted

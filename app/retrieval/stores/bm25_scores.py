"""BM25 of every chunk that holds one of the terms, exactly, and the best of them."""

from __future__ import annotations

import math
from collections.abc import Collection
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from app.retrieval.match import TermHit
from app.storage.posting_blocks import Integers
from app.storage.posting_segments import Asked, Segment, alive, within
from app.storage.postings import IMPACT_SCALE

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Ranked:
    """Chunks, the best first: ids and scores, and where each stands in which of the segments."""

    ids: Integers
    scores: Floats
    segments: Integers
    places: Integers

    def at(self, kept: Integers) -> Ranked:
        return Ranked(self.ids[kept], self.scores[kept], self.segments[kept], self.places[kept])

    def among(self, chunks: Collection[int], most: int) -> Ranked:
        return self.at(np.flatnonzero(np.isin(self.ids, list(chunks)))[:most])


class Scores:
    """Of all chunks that hold one of the terms; with `among`, ids that ascend, of those chunks alone."""

    def __init__(self, asked: Asked, among: Integers | None = None) -> None:
        segments = asked.segments()
        held = {term: sum(alive(segment, term) for segment in segments) for term in asked.terms}
        # Terms that no chunk has count in the total: what is asked for and nowhere found lowers every chunk's coverage.
        self._weights = {
            term: math.log(1 + (asked.chunks - count + 0.5) / (count + 0.5)) for term, count in held.items()
        }
        self._segments = segments if among is None else [within(segment, among) for segment in segments]
        self._scores = [self._scored(segment) for segment in self._segments]

    def best(self, count: int) -> Ranked:
        """Return so many, or all there are. Of equal ones the lower id comes first."""
        least, found = 0.0, []
        for n, scores in enumerate(self._scores):
            at = np.flatnonzero(scores >= least if least else scores)
            if len(at) > count:
                least = max(least, float(np.partition(scores[at], -count)[-count]))
                at = at[scores[at] >= least]
            found.append((self._segments[n].ids[at], scores[at], np.full(len(at), n), at))
        ids, reached, segments, at = (np.concatenate(each) for each in zip(*found, strict=True))
        order = np.lexsort((ids, -reached))[:count]
        return Ranked(ids, reached, segments, at).at(order)

    def hits(self, ranked: Ranked) -> list[TermHit]:
        covered, total = self._covered(ranked), sum(self._weights.values())
        each = zip(ranked.ids.tolist(), (ranked.scores / IMPACT_SCALE).tolist(), covered.tolist(), strict=True)
        return [TermHit(chunk, score, weight / total) for chunk, score, weight in each]

    def _scored(self, segment: Segment) -> Floats:
        scores = np.zeros(len(segment.ids))
        # In the same order everywhere, so that equal chunks get equal sums.
        for term, weight in self._weights.items():
            if (found := segment.lists.get(term)) is not None:
                scores[found.places] += weight * found.impacts
        scores[segment.deleted] = 0
        return scores

    def _covered(self, ranked: Ranked) -> Floats:
        """Return the weight of the terms that each of these holds."""
        covered = np.zeros(len(ranked.ids))
        for n in np.unique(ranked.segments).tolist():
            mine = np.flatnonzero(ranked.segments == n)
            for term, found in self._segments[n].lists.items():
                sought = ranked.places[mine].astype(found.places.dtype)
                at = np.minimum(np.searchsorted(found.places, sought), len(found.places) - 1)
                covered[mine] += self._weights[term] * (found.places[at] == sought)
        return covered

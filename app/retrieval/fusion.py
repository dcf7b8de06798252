"""Fuse rankings into one: by meaning and by words, or by meaning in two languages. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from app.retrieval.match import Hit, TermHit


def fuse(dense: Sequence[Hit], lexical: Sequence[TermHit], *, dense_weight: float, top_k: int) -> list[Hit]:
    """Rank by a convex combination of the cosine and the squared coverage; `score` is at most 1.

    Both have bounds that do not depend on what else was found, so a chunk that holds every rare word of a question
    stays ahead of chunks that are merely alike (docs/decisions/0005; Bruch et al. 2023). Both lists come best first; a
    chunk that the dense one lacks counts as its last.
    """
    furthest = dense[-1].score if dense else 0.0
    cosines = dict.fromkeys((hit.chunk for hit in lexical), furthest) | {hit.chunk: hit.score for hit in dense}
    coverages = {hit.chunk: hit.coverage for hit in lexical}
    fused = [
        Hit(chunk, dense_weight * cosine + (1 - dense_weight) * coverages.get(chunk, 0.0) ** 2)
        for chunk, cosine in cosines.items()
    ]
    return sorted(fused, key=lambda hit: (-hit.score, hit.chunk))[:top_k]


def merge(own: Sequence[Hit], translated: Sequence[Hit], *, level: float, top_k: int) -> list[Hit]:
    """Rank by the better cosine of the question and of the moved one, whose cosines are `level` too low, 1 at most."""
    best = {hit.chunk: hit.score for hit in own}
    for hit in translated:
        best[hit.chunk] = max(best.get(hit.chunk, -1.0), min(1.0, hit.score + level))
    return sorted((Hit(*each) for each in best.items()), key=lambda hit: (-hit.score, hit.chunk))[:top_k]

"""Put what a search has found in a reranker's order: all of it where that is asked for, else the first few."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Collection, Sequence
from dataclasses import replace

from app.errors import RerankerUnavailable
from app.language.question_language import language_of
from app.retrieval.match import Match
from app.retrieval.reranking import Reranker
from app.storage.tenancy import TenantNumber

log = logging.getLogger("kyujang.retrieval")

# Of those that may change places unasked: each costs a tenth of a second on a CPU (bench/RESULTS.md).
FIRST = 5
FIRST_TIMEOUT_S = 3.0


async def reranked(reranker: Reranker, tenant: TenantNumber, question: str, matches: Sequence[Match]) -> list[Match]:
    """Return the matches in the reranker's order, with its scores. Raises RerankerUnavailable."""
    scored = await _scored(reranker, tenant, question, matches)
    return [replace(match, score=score) for match, score in _best_first(scored)]


async def first_reranked(
    reranker: Reranker, languages: Collection[str], tenant: TenantNumber, question: str, matches: Sequence[Match]
) -> list[Match]:
    """Have the first matches change places among themselves; each keeps its own score.

    They stay where they are if the reranker knows the language of the question or of one of them not, or is late or
    away: nobody has asked for it.
    """
    first, rest = matches[:FIRST], matches[FIRST:]
    texts = [question, *(match.text for match in first)]
    if len(first) < 2 or any(language_of(text) not in languages for text in texts):
        return list(matches)
    try:
        async with asyncio.timeout(FIRST_TIMEOUT_S):
            scored = await _scored(reranker, tenant, question, first)
    except (TimeoutError, RerankerUnavailable) as error:
        log.warning("the first hits were not reranked", extra={"cause": type(error).__name__})
        return list(matches)
    return [*(match for match, _ in _best_first(scored)), *rest]


async def _scored(
    reranker: Reranker, tenant: TenantNumber, question: str, matches: Sequence[Match]
) -> list[tuple[Match, float]]:
    if not matches:
        return []
    texts = ["\n".join([*match.path, match.text]) for match in matches]
    scores = await reranker.scores(question, texts, tenant)
    return [(replace(match, rerank_score=score), score) for match, score in zip(matches, scores, strict=True)]


def _best_first(scored: Sequence[tuple[Match, float]]) -> list[tuple[Match, float]]:
    """Leave equals in their order."""
    return sorted(scored, key=lambda each: -each[1])

"""Take hits of several searches in turn."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain, zip_longest

from app.retrieval.match import Match
from app.retrieval.search import Found


def in_turn(lists: Sequence[Sequence[Match]]) -> list[Match]:
    """Return the first of each, then the second of each, and so on; what several have, once."""
    first: dict[str, Match] = {}
    for match in chain.from_iterable(zip_longest(*lists)):
        if match is not None:
            first.setdefault(match.chunk_id, match)
    return list(first.values())


def found_in_turn(each: Sequence[Found], top_k: int) -> Found:
    """Return the best top_k hits of these searches in turn, then the neighbours of those; the trace is the first's."""
    hits = in_turn([[match for match in found.matches if match.neighbour_of is None] for found in each])[:top_k]
    kept = {match.chunk_id for match in hits}
    beside = [match for found in each for match in found.matches if match.neighbour_of in kept]
    matches = list({match.chunk_id: match for match in [*hits, *beside]}.values())
    return Found(
        matches,
        dropped_by_min_score=any(found.dropped_by_min_score for found in each),
        cut=any(found.cut for found in each),
        trace=each[0].trace,
    )

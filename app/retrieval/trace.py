"""Record how a search came to what it found: the ranks and scores of both legs, and what was left out and why."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

from app.retrieval.copies import Standing
from app.retrieval.match import Hit, Match, TermHit
from app.storage.documents import public_chunk_id

Fate = Literal["used", "copy", "beyond_per_document", "beyond_top_k", "below_min_score", "over_size"]
OF_STANDING: dict[Standing, Fate] = {Standing.COPY: "copy", Standing.BEYOND_SHARE: "beyond_per_document"}
# Of what comes after the last that is used.
MORE = 20


@dataclass(frozen=True, slots=True)
class Place:
    """A chunk's place in a ranking, from 1."""

    rank: int
    score: float


@dataclass(frozen=True, slots=True)
class Candidate:
    match: Match
    dense: Place | None
    lexical: Place | None
    fused: Place | None
    reranked: Place | None
    fate: Fate


@dataclass(slots=True)
class Trace:
    """Rankings as they came, best first. What costs something is made by candidates() alone."""

    terms: Sequence[str] = ()
    """What the question has for the search by words."""
    translated: bool = False
    """Whether the search by meaning was made in the other language, too."""
    dense: Sequence[Hit] = ()
    lexical: Sequence[TermHit] = ()
    fused: Sequence[Hit] = ()
    read: list[Match] = field(default_factory=list)
    """Candidates, best first."""
    standings: Sequence[Standing] = ()
    """Of the first candidates, whether each adds something."""
    reranked: Sequence[Match] = ()
    """In the reranker's order; those that it read have its score."""
    looked_at: Sequence[Match] = ()
    good: Sequence[Match] = ()
    """Those of them that min_score left."""
    kept: Sequence[Match] = ()
    """What top_k left of these, with their neighbours."""
    used: Sequence[Match] = ()
    """What of these is within the size of a page."""

    def candidates(self) -> list[Candidate]:
        """Return those that are used in their order, then the others."""
        fates: dict[str, Fate] = {
            match.chunk_id: OF_STANDING[standing]
            for match, standing in zip(self.read, self.standings, strict=False)
            if standing in OF_STANDING
        }
        fates |= dict.fromkeys((each.chunk_id for each in self.looked_at), "below_min_score")
        fates |= dict.fromkeys((each.chunk_id for each in self.good), "beyond_top_k")
        fates |= dict.fromkeys((each.chunk_id for each in self.kept), "over_size")
        fates |= dict.fromkeys((each.chunk_id for each in self.used), "used")
        # What comes with a hit may be in no ranking.
        candidates = {each.chunk_id: each for each in (*self.read, *self.kept)}.values()
        order = {each.chunk_id: place for place, each in enumerate(self.used)}
        dense, lexical, fused = (_ranking(hits) for hits in (self.dense, self.lexical, self.fused))
        reranked = {
            match.chunk_id: Place(rank, match.rerank_score)
            for rank, match in enumerate(self.reranked, start=1)
            if match.rerank_score is not None
        }
        return [
            Candidate(
                match,
                dense.get(match.chunk_id),
                lexical.get(match.chunk_id),
                fused.get(match.chunk_id),
                reranked.get(match.chunk_id),
                fates.get(match.chunk_id, "beyond_top_k"),
            )
            for match in sorted(candidates, key=lambda each: order.get(each.chunk_id, len(order)))
        ]


def _ranking(hits: Sequence[Hit]) -> dict[str, Place]:
    return {public_chunk_id(hit.chunk): Place(rank, hit.score) for rank, hit in enumerate(hits, start=1)}

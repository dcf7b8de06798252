"""What a search finds: hits, and the matches they stand for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Hit:
    """`chunk` is chunks.id; what `score` means depends on who found it."""

    chunk: int
    score: float


@dataclass(frozen=True, slots=True)
class TermHit(Hit):
    """`score` is BM25's, without its k1 + 1; `coverage` is the part of the question's information the chunk holds."""

    coverage: float


@dataclass(frozen=True, slots=True)
class Match:
    """A retrieved chunk. `start` and `stop` count code points in the document's text."""

    chunk_id: str
    document_id: str
    source: str | None
    title: str | None
    page: int | None
    text: str
    score: float
    metadata: dict[str, Any]
    start: int
    stop: int

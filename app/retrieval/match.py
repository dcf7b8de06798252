"""What a search finds: hits, and the matches they stand for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from app.language.headings import Outline, Path, heading_path


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
    """A retrieved chunk. `start`, `stop` and `header` count code points in the document's text; `text` is what it has
    from `start` to `stop`, below the header of its table if it begins among the rows."""

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
    last_page: int | None = None
    header: tuple[int, int] | None = None
    headings: Path = ()
    """As lines of the text."""
    media_type: str = ""
    rerank_score: float | None = None
    neighbour_of: str | None = None
    """The hit beside which it stands, where it is none itself; it has that hit's score."""

    @property
    def header_length(self) -> int:
        """How much of `text` is a repeated header."""
        return self.header[1] - self.header[0] if self.header else 0

    @property
    def path(self) -> list[str]:
        """What it stands under: the title and the headings."""
        return heading_path(self.title, self.headings)

    def path_at(self, place: int) -> list[str]:
        """Return what a place in `text` stands under: other headings may come before it."""
        return heading_path(self.title, Outline(self.text, self.headings).at(place))

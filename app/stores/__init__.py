"""Vector search: what a store promises, and what it returns."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from app.storage.database import Connection
from app.storage.filters import Condition


@dataclass(frozen=True, slots=True)
class Hit:
    """`chunk` is chunks.id; what `score` means depends on who found it."""

    chunk: int
    score: float


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


class VectorStore(Protocol):
    async def search(
        self,
        connection: Connection,
        tenant: int,
        vector: NDArray[np.float32],
        top_k: int,
        where: Condition | None = None,
    ) -> list[Hit]:
        """Inside the caller's snapshot (Database.snapshot). `vector` is L2-normalised, of shape [dimension].

        min(top_k, matching chunks) hits, best first; `score` is the cosine similarity.
        """
        ...

    async def forget(self, tenant: int) -> None:
        """What is kept of a deleted tenant outside the database."""
        ...

    async def close(self) -> None: ...

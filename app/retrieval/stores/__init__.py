"""The port of vector search: what each store promises. Written against no database."""

from __future__ import annotations

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from app.retrieval.match import Hit
from app.storage.filters import Filter
from app.storage.snapshot import Snapshot
from app.storage.tenancy import TenantNumber


class VectorStore(Protocol):
    async def search(
        self,
        snapshot: Snapshot,
        tenant: TenantNumber,
        vector: NDArray[np.float32],
        top_k: int,
        where: Filter | None = None,
    ) -> list[Hit]:
        """Return min(top_k, matching chunks) hits of what the snapshot sees, best first; equal scores by chunk.

        `vector` is L2-normalised, of shape [dimension]; a score is the cosine similarity.
        """
        ...

    async def forget(self, tenant: TenantNumber) -> None:
        """Remove what is kept of a deleted tenant outside the database."""
        ...

    async def close(self) -> None: ...

"""Vector search: what a store promises."""

from __future__ import annotations

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from app.retrieval.match import Hit
from app.storage.database import Connection
from app.storage.filters import Filter
from app.tenancy import TenantNumber


class VectorStore(Protocol):
    async def search(
        self,
        connection: Connection,
        tenant: TenantNumber,
        vector: NDArray[np.float32],
        top_k: int,
        where: Filter | None = None,
    ) -> list[Hit]:
        """Inside the caller's snapshot (Database.snapshot). `vector` is L2-normalised, of shape [dimension].

        min(top_k, matching chunks) hits, best first; `score` is the cosine similarity.
        """
        ...

    async def forget(self, tenant: TenantNumber) -> None:
        """What is kept of a deleted tenant outside the database."""
        ...

    async def close(self) -> None: ...

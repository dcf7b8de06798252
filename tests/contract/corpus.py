"""Documents with made-up vectors, and what a corpus of them can do, wherever it is kept. Knows no database."""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from app.retrieval.match import Hit, Match
from app.retrieval.stores import VectorStore
from app.storage.filters import Filter
from app.storage.snapshot import Snapshot
from app.storage.tenancy import TenantNumber

DIMENSION = 384
SPACE = 1  # of the model that a new database is set up for
Array = NDArray[np.float32]


@dataclass
class Document:
    id: str
    vectors: Array
    metadata: dict[str, Any] = field(default_factory=dict)
    source: str | None = None
    created_at: datetime = datetime(2026, 1, 1, tzinfo=UTC)
    texts: list[str] | None = None


class Snapshots(Protocol):
    def snapshot(self, tenant: TenantNumber) -> AbstractAsyncContextManager[Snapshot]: ...


class Corpus(Snapshots, Protocol):
    async def new_tenant(self) -> TenantNumber: ...

    async def delete_tenant(self, tenant: TenantNumber) -> None: ...

    async def put(self, tenant: TenantNumber, *there: Document) -> dict[str, list[int]]:
        """Replace what had the id of each, one after the other; return the chunks of each."""
        ...

    async def delete_document(self, tenant: TenantNumber, document_id: str) -> None: ...

    async def read(self, snapshot: Snapshot, tenant: TenantNumber, hits: list[Hit]) -> list[Match]: ...


def unit(generator: np.random.Generator, count: int, near: Array | None = None, spread: float = 1.0) -> Array:
    vectors = generator.standard_normal((count, DIMENSION)).astype(np.float32) * spread
    if near is not None:
        vectors += near
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    # As they are stored, in half precision.
    return vectors.astype(np.float16).astype(np.float32)


def clustered(generator: np.random.Generator, count: int, clusters: int = 40) -> Array:
    centres = unit(generator, clusters)
    return unit(generator, count, centres[generator.integers(clusters, size=count)], 0.04)


async def search(
    corpus: Snapshots, store: VectorStore, tenant: TenantNumber, vector: Array, top_k: int, where: Filter | None = None
) -> list[Hit]:
    async with corpus.snapshot(tenant) as snapshot:
        return await store.search(snapshot, tenant, vector, top_k, where)


def nearest(vectors: Array, query: Array, top_k: int) -> set[int]:
    """Rows of the exact neighbours."""
    return set(np.argsort(-(vectors @ query))[:top_k].tolist())

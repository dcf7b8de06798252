"""What a search reads with, as types."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager
from typing import Protocol

from app.retrieval.match import Hit, Match, TermHit
from app.storage.filters import Filter
from app.storage.snapshot import Snapshot
from app.storage.tenancy import TenantNumber


class Snapshots(Protocol):
    def snapshot(self, tenant: TenantNumber) -> AbstractAsyncContextManager[Snapshot]: ...


class LexicalSearch(Protocol):
    async def __call__(
        self, snapshot: Snapshot, tenant: TenantNumber, terms: Sequence[str], top_k: int, where: Filter | None
    ) -> Sequence[TermHit]: ...


class Holds(Protocol):
    async def __call__(self, snapshot: Snapshot, tenant: TenantNumber, term: str) -> bool: ...


class ReadMatches(Protocol):
    async def __call__(self, snapshot: Snapshot, tenant: TenantNumber, hits: Sequence[Hit]) -> list[Match]: ...


class ReadNeighbours(Protocol):
    async def __call__(
        self, snapshot: Snapshot, tenant: TenantNumber, hits: Sequence[Match], reach: int
    ) -> list[Match]: ...


class CountEmbedded(Protocol):
    def __call__(self, tenant: TenantNumber, *, embedded_tokens: int) -> None: ...

"""A third vector store, in the memory of the tests: the port's promises kept without PostgreSQL and without SQL."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from types import MappingProxyType
from typing import Any

from app.retrieval.match import Hit, Match
from app.retrieval.stores import VectorStore
from app.storage.filters import All, Compares, Contains, Filter, Is, Key, Metadata, Not, Scalar, Some
from app.storage.snapshot import Snapshot
from app.storage.tenancy import TenantNumber
from tests.contract.corpus import Array, Document

Documents = Mapping[str, tuple[Document, list[int]]]


@dataclass(frozen=True, slots=True)
class MemorySnapshot(Snapshot):
    documents: Documents


class MemoryCorpus:
    def __init__(self) -> None:
        self._tenants: dict[TenantNumber, Documents] = {}

    async def new_tenant(self) -> TenantNumber:
        number = TenantNumber(len(self._tenants) + 1)
        self._tenants[number] = {}
        return number

    async def delete_tenant(self, tenant: TenantNumber) -> None:
        self._tenants[tenant] = {}

    async def put(self, tenant: TenantNumber, *there: Document) -> dict[str, list[int]]:
        await asyncio.sleep(0)  # Others have their turn, as at a database.
        chunks = {document.id: [secrets.randbits(63) for _ in document.vectors] for document in there}
        put = {document.id: (document, chunks[document.id]) for document in there}
        self._tenants[tenant] = {**self._tenants[tenant], **put}
        return chunks

    async def delete_document(self, tenant: TenantNumber, document_id: str) -> None:
        self._tenants[tenant] = {id_: each for id_, each in self._tenants[tenant].items() if id_ != document_id}

    @asynccontextmanager
    async def snapshot(self, tenant: TenantNumber) -> AsyncIterator[MemorySnapshot]:
        """No mapping is ever changed, so each stays what it was."""
        await asyncio.sleep(0)
        yield MemorySnapshot(MappingProxyType(self._tenants.get(tenant, {})))

    async def read(self, snapshot: Snapshot, tenant: TenantNumber, hits: list[Hit]) -> list[Match]:
        found = {
            chunk: Match(f"chk_{chunk:016x}", id_, document.source, None, None, text, 0.0, document.metadata, 0, 1)
            for id_, (document, chunks) in documents_of(snapshot).items()
            for chunk, text in zip(chunks, document.texts or [""] * len(chunks), strict=True)
        }
        return [replace(found[hit.chunk], score=hit.score) for hit in hits]


class InMemoryStore:
    async def search(
        self, snapshot: Snapshot, tenant: TenantNumber, vector: Array, top_k: int, where: Filter | None = None
    ) -> list[Hit]:
        hits = [
            Hit(chunk, float(stored @ vector))
            for document, chunks in documents_of(snapshot).values()
            if where is None or holds(where, document)
            for chunk, stored in zip(chunks, document.vectors, strict=True)
        ]
        return sorted(hits, key=lambda hit: (-hit.score, hit.chunk))[:top_k]

    async def forget(self, tenant: TenantNumber) -> None: ...

    async def close(self) -> None: ...


STORE: VectorStore = InMemoryStore()


def documents_of(snapshot: Snapshot) -> Documents:
    assert isinstance(snapshot, MemorySnapshot)
    return snapshot.documents


def holds(filter_: Filter, document: Document) -> bool:
    match filter_:
        case All(parts):
            return all(holds(part, document) for part in parts)
        case Some(parts):
            return any(holds(part, document) for part in parts)
        case Not(part):
            return not holds(part, document)
        case Is(key, wanted):
            return any(same(stored(document, key), value) for value in wanted)
        case Contains(key, value):
            have = stored(document, key)
            return isinstance(have, list) and any(same(each, value) for each in have)
        case Compares(key, op, value):
            have = stored(document, key)
            if kind(have) is None or kind(have) != kind(value):
                return False
            return {"gt": have > value, "gte": have >= value, "lt": have < value, "lte": have <= value}[op]


def stored(document: Document, key: Key) -> Any:
    if isinstance(key, Metadata):
        return document.metadata.get(key.name)
    return {"document_id": document.id, "source": document.source, "created_at": document.created_at}[key]


def same(one: Any, other: Scalar) -> bool:
    return isinstance(one, bool) == isinstance(other, bool) and one == other


def kind(value: Any) -> str | None:
    if isinstance(value, bool):
        return None
    return {int: "number", float: "number", str: "text", datetime: "time"}.get(type(value))

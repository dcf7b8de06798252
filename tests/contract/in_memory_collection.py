"""A collection as Milvus keeps one, in memory: what is removed is still found for a while, and writes may be lost."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from app.errors import IndexUnavailable
from app.storage.changelog import VectorBatch

STALE = 3


class MemoryCollection:
    def __init__(self) -> None:
        self.kept: dict[str, dict[int, tuple[int, NDArray[np.float32]]]] = {}
        self.away = False
        self.loses = False
        self._gone: list[tuple[str, int, tuple[int, NDArray[np.float32]], int]] = []

    def of(self, name: str) -> dict[int, tuple[int, NDArray[np.float32]]]:
        if self.away or name not in self.kept:
            raise IndexUnavailable
        return self.kept[name]

    async def close(self) -> None:
        pass

    async def exists(self, name: str) -> bool:
        if self.away:
            raise IndexUnavailable
        return name in self.kept

    async def create(self, name: str) -> None:
        self.kept[name] = {}

    async def load(self, name: str) -> None:
        self.of(name)

    async def drop(self, name: str) -> None:
        self.kept.pop(name, None)

    async def nearest(self, name: str, tenant: int, vector: NDArray[np.float32], top_k: int) -> list[int]:
        there = {chunk: row for chunk, row in self.of(name).items() if row[0] == tenant}
        there |= {chunk: row for of, chunk, row, left in self._gone if of == name and row[0] == tenant and left}
        self._gone = [(of, chunk, row, left - 1) for of, chunk, row, left in self._gone if left > 1]
        return sorted(there, key=lambda chunk: -float(there[chunk][1] @ vector))[:top_k]

    async def put(self, name: str, tenant: int, batch: VectorBatch) -> None:
        rows = zip(batch.chunks.tolist(), batch.values.astype(np.float32), strict=True)
        self.of(name).update({} if self.loses else {chunk: (tenant, value) for chunk, value in rows})

    async def remove(self, name: str, tenant: int, chunks: Sequence[int]) -> None:
        there = self.of(name)
        for chunk in chunks:
            if chunk in there and there[chunk][0] == tenant:
                self._gone.append((name, chunk, there.pop(chunk), STALE))

    async def remove_tenant(self, name: str, tenant: int) -> None:
        await self.remove(name, tenant, [chunk for chunk, row in self.of(name).items() if row[0] == tenant])

    async def count(self, name: str, tenant: int) -> int:
        return sum(row[0] == tenant for row in self.of(name).values())

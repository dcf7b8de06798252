"""Hold a tenant's index in memory, at a known version, safe for many threads."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from app.retrieval.match import Hit
from app.retrieval.stores.faiss_index import FaissIndex
from app.storage.changelog import VectorBatch


class ReadWriteLock:
    """Allow many searches or one change. A waiting change goes first, so that searches cannot delay it for ever."""

    def __init__(self) -> None:
        self._free = threading.Condition()
        self._readers = 0
        self._writers_waiting = 0
        self._writing = False

    @contextmanager
    def reading(self) -> Iterator[None]:
        with self._free:
            self._free.wait_for(lambda: not self._writing and not self._writers_waiting)
            self._readers += 1
        try:
            yield
        finally:
            with self._free:
                self._readers -= 1
                self._free.notify_all()

    @contextmanager
    def writing(self) -> Iterator[None]:
        with self._free:
            self._writers_waiting += 1
            self._free.wait_for(lambda: not self._writing and not self._readers)
            self._writers_waiting -= 1
            self._writing = True
        try:
            yield
        finally:
            with self._free:
                self._writing = False
                self._free.notify_all()


class CachedIndex:
    """Blocks; safe from any thread: a caller that gives up leaves nothing half done."""

    def __init__(self) -> None:
        self.index: FaissIndex | None = None
        self.version = -1
        # Chunks changed since the index was last written to a file.
        self.unsaved = 0
        self.advancing = asyncio.Lock()
        self._lock = ReadWriteLock()
        self._since_copy: list[tuple[NDArray[np.int64], Sequence[VectorBatch]]] | None = None

    def search(self, version: int, vector: NDArray[np.float32], top_k: int) -> list[Hit] | Literal["older", "newer"]:
        """Search exactly this version; else say whether the index is older or newer."""
        with self._lock.reading():
            if self.version != version or self.index is None:
                return "older" if self.version < version else "newer"
            return self.index.search(vector, top_k)

    def replace(self, index: FaissIndex, version: int, *, unsaved: int) -> None:
        with self._lock.writing():
            self.index, self.version, self.unsaved = index, version, unsaved
            self._since_copy = None

    def apply(self, removed: Sequence[int], added: Sequence[VectorBatch], *, since: int, version: int) -> None:
        """Apply changes; do nothing if the index is no longer at `since`."""
        gone = np.asarray(removed, np.int64)
        with self._lock.writing():
            if self.version != since or self.index is None:
                return
            _change(self.index, gone, added)
            if self._since_copy is not None:
                self._since_copy.append((gone, added))
            self.version = version
            self.unsaved += len(gone) + sum(len(batch.chunks) for batch in added)

    def build_ivf(self) -> None:
        """Replace the flat index by inverted lists (IVF). Searches and changes go on with the flat one meanwhile."""
        with self._lock.writing():
            flat = self.index
            if flat is None or flat.is_ivf or self._since_copy is not None:
                return
            copied, self._since_copy = flat.vectors(), []
        lists = FaissIndex.build_ivf(copied)
        with self._lock.writing():
            if self.index is flat and self._since_copy is not None:
                for gone, added in self._since_copy:
                    _change(lists, gone, added)
                self.index, self.unsaved = lists, len(lists)
            self._since_copy = None

    def contents(self) -> tuple[int, NDArray[np.uint8]]:
        """Return the version and the index as bytes, to be saved."""
        with self._lock.reading():
            assert self.index is not None
            self.unsaved = 0
            return self.version, self.index.to_bytes()


def _change(index: FaissIndex, gone: NDArray[np.int64], added: Sequence[VectorBatch]) -> None:
    index.remove(gone)
    for batch in added:
        index.add(batch)

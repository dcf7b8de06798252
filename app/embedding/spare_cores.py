"""Cores beside the first, which a worker embeds on for as long as nothing else needs them.

Their threads have the kernel's lowest priority (SCHED_IDLE), so that the kernel itself leaves a core to answers, to
PostgreSQL and to the engine at once. Of the workers of one machine one has the spare cores at a time.
"""

from __future__ import annotations

import asyncio
import fcntl
import logging
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from pathlib import Path
from typing import IO, Protocol, runtime_checkable
from zlib import crc32

from app import cpu
from app.embedding.encoder import Encoder

log = logging.getLogger("kyujang.embedding")

LOCK = "embedding.lock"
BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
# What a thread may come to hold, and what is left to others.
THREAD_BYTES, SPARED_BYTES = 200 << 20, 1 << 30


@runtime_checkable
class InIdleTime(Protocol):
    """A model that can compute on spare cores."""

    def in_idle_time(self, runs: int) -> Encoder:
        """Return one that computes only while cores are idle, for so many callers at a time."""
        ...


class SpareCores:
    """`open_encoder` opens an encoder that so many threads may call at a time; it is called at the first need."""

    def __init__(self, home: Path, threads: int, open_encoder: Callable[[int], Encoder]) -> None:
        self.threads = threads
        self.pool = ThreadPoolExecutor(threads, thread_name_prefix="embed-spare")
        self._lock, self._open = _MachineLock(home / LOCK), open_encoder
        self._encoder: asyncio.Future[Encoder | None] | None = None
        self._users = 0

    @asynccontextmanager
    async def taken(self) -> AsyncIterator[Encoder | None]:
        """Yield the encoder for one thread; None if another worker has the cores now, or there is no memory."""
        if not self._users and not self._lock.acquire():
            yield None
            return
        self._users += 1
        try:
            self._encoder = self._encoder or asyncio.ensure_future(asyncio.to_thread(self._opened))
            yield await asyncio.shield(self._encoder)
        finally:
            self._users -= 1
            if not self._users:
                self._lock.release()

    def close(self) -> None:
        self.pool.shutdown(wait=False, cancel_futures=True)

    def _opened(self) -> Encoder | None:
        self.threads = min(self.threads, max(0, cpu.free_memory() - SPARED_BYTES) // THREAD_BYTES)
        if self.threads:
            return self._open(self.threads)
        log.warning("there is not the memory to embed on more than one core")
        return None


class _MachineLock:
    """One for each machine, also where several share the folder: a byte of the file, drawn from the machine's boot."""

    def __init__(self, file: Path) -> None:
        self._path = file
        self._file: IO[bytes] | None = None
        self._byte = crc32(BOOT_ID.read_bytes()) if BOOT_ID.exists() else 0

    def acquire(self) -> bool:
        try:
            self._file = self._file or self._path.open("ab")
            fcntl.lockf(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, self._byte)
        except OSError:
            return False
        return True

    def release(self) -> None:
        if self._file is not None:
            fcntl.lockf(self._file, fcntl.LOCK_UN, 1, self._byte)

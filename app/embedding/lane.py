"""What waits for the embedding model, and the thread that takes one batch after another."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

from app.embedding.encoder import Encoder, Kind, Vectors
from app.turns import Waiting


@dataclass(eq=False)
class Call:
    texts: Sequence[str]
    kind: Kind
    answer: asyncio.Future[Vectors]
    left: list[int] = field(default_factory=list)
    """Which texts of a call in batches are not taken yet."""
    order: list[int] = field(default_factory=list)
    """Which texts the vectors of `parts` are of."""
    parts: list[Vectors] = field(default_factory=list)

    def fail(self, error: BaseException) -> None:
        if not self.answer.done():
            self.answer.set_exception(error)

    def succeed(self, vectors: Vectors) -> None:
        if not self.answer.done():
            self.answer.set_result(vectors)


class Lane:
    """Runs one batch at a time, in its own thread."""

    def __init__(self, encoder: Encoder) -> None:
        self._encoder = encoder
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="embed")
        self.waiting: dict[Kind, Waiting[Call]] = {"query": Waiting(), "passage": Waiting()}
        self._at_work: Sequence[Call] = ()
        self._runner: asyncio.Task[None] | None = None

    def wake(self) -> None:
        if self._runner is None or self._runner.done():
            self._runner = asyncio.create_task(self._run())

    def close(self) -> None:
        for call in (*self._at_work, *self.waiting["query"].clear(), *self.waiting["passage"].clear()):
            call.answer.cancel()
        self._thread.shutdown(wait=False, cancel_futures=True)

    async def _run(self) -> None:
        while await self._embed_next():
            pass
        self._at_work = ()

    async def _embed_next(self) -> bool:
        """Embed the next batch; say whether there was one."""
        raise NotImplementedError

    async def _encode(self, texts: Sequence[str], kind: Kind) -> Vectors:
        return await asyncio.get_running_loop().run_in_executor(self._thread, self._encoder.encode, texts, kind)

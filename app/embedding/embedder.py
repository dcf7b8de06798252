"""Embed in a thread: the one place where embedding leaves the event loop."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

import numpy as np

from app.embedding.encoder import Encoder, Kind, Vectors
from app.errors import EmbedderUnavailable, Unavailable

QUERIES_AT_ONCE = 32
MAX_WAITING = 256


@dataclass(eq=False)
class _Call:
    texts: Sequence[str]
    answer: asyncio.Future[Vectors]
    order: list[int] = field(default_factory=list)
    parts: list[Vectors] = field(default_factory=list)
    begun: int = 0

    def fail(self, error: BaseException) -> None:
        if not self.answer.done():
            self.answer.set_exception(error)

    def succeed(self, vectors: Vectors) -> None:
        if not self.answer.done():
            self.answer.set_result(vectors)


class Embedder:
    """Runs one batch at a time, in its own thread.

    Queries that arrive while a batch runs are embedded together in the next one. Passages go in small batches of like
    length, and queries between those, so that no query waits for a long document.
    """

    def __init__(self, encoder: Encoder, *, max_waiting: int = MAX_WAITING) -> None:
        self.encoder = encoder
        self._max_waiting = max_waiting
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="embed")
        self._waiting: dict[Kind, deque[_Call]] = {"query": deque(), "passage": deque()}
        self._at_work: list[_Call] = []
        self._runner: asyncio.Task[None] | None = None

    async def embed(self, texts: Sequence[str], kind: Kind) -> Vectors:
        """Embed texts. Raises EmbedderUnavailable if too many calls wait already, and what the encoder raises."""
        if not texts:
            return np.empty((0, self.encoder.dimension), np.float32)
        waiting = self._waiting[kind]
        if len(waiting) >= self._max_waiting:
            raise EmbedderUnavailable(
                "Too many texts are waiting for the embedding model. Try again shortly.", retry_after_s=1
            )
        call = _Call(texts, asyncio.get_running_loop().create_future())
        if kind == "passage":
            call.order = sorted(range(len(texts)), key=lambda n: len(texts[n]))
        waiting.append(call)
        if self._runner is None or self._runner.done():
            self._runner = asyncio.create_task(self._run())
        return await call.answer

    def close(self) -> None:
        """Cancel the calls that still wait."""
        for call in (*self._at_work, *self._waiting["query"], *self._waiting["passage"]):
            call.answer.cancel()
        self._thread.shutdown(wait=False, cancel_futures=True)

    async def _run(self) -> None:
        while True:
            if queries := self._next_queries():
                self._at_work = queries
                await self._embed_queries(queries)
            elif passages := self._next_passages():
                self._at_work = [passages]
                await self._embed_some_of(passages)
            else:
                self._at_work = []
                return

    def _next_queries(self) -> list[_Call]:
        taken: list[_Call] = []
        waiting = self._waiting["query"]
        while waiting and (not taken or sum(len(call.texts) for call in (*taken, waiting[0])) <= QUERIES_AT_ONCE):
            call = waiting.popleft()
            if not call.answer.done():  # else its caller has gone
                taken.append(call)
        return taken

    def _next_passages(self) -> _Call | None:
        waiting = self._waiting["passage"]
        while waiting and waiting[0].answer.done():
            waiting.popleft()
        return waiting[0] if waiting else None

    async def _embed_queries(self, calls: Sequence[_Call]) -> None:
        try:
            vectors = await self._encode([text for call in calls for text in call.texts], "query")
        except Exception as error:
            if len(calls) == 1 or isinstance(error, Unavailable):
                for call in calls:
                    call.fail(error)
                return
            # One text may be the cause: the others must not fail with it.
            for call in calls:
                await self._embed_queries([call])
            return
        ends = np.cumsum([len(call.texts) for call in calls])
        for call, end in zip(calls, ends, strict=True):
            call.succeed(vectors[end - len(call.texts) : end])

    async def _embed_some_of(self, call: _Call) -> None:
        try:
            chosen = call.order[call.begun : call.begun + self.encoder.passages_at_once]
            call.begun += len(chosen)
            call.parts.append(await self._encode([call.texts[n] for n in chosen], "passage"))
        except Exception as error:
            call.fail(error)
            return
        if call.begun == len(call.order):
            vectors = np.empty((len(call.order), call.parts[0].shape[1]), np.float32)
            vectors[call.order] = np.concatenate(call.parts)
            call.succeed(vectors)

    async def _encode(self, texts: Sequence[str], kind: Kind) -> Vectors:
        return await asyncio.get_running_loop().run_in_executor(self._thread, self.encoder.encode, texts, kind)

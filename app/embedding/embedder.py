"""Embed in a thread: the one place where embedding leaves the event loop."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

import numpy as np

from app.embedding.encoder import Encoder, Kind, Vectors
from app.errors import TooManyRequests, Unavailable
from app.turns import NO_TENANT, Waiting

QUERIES_AT_ONCE = 32
# Long texts do not gain by going together; the next one would only wait longer.
QUERY_CHARACTERS_AT_ONCE = 2_000
MAX_WAITING = 64


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
    length, and queries between those, so that no query waits for a long document. Tenants take turns in both.
    """

    def __init__(self, encoder: Encoder, *, max_waiting: int = MAX_WAITING) -> None:
        self.encoder = encoder
        self._max_waiting = max_waiting
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="embed")
        self._waiting: dict[Kind, Waiting[_Call]] = {"query": Waiting(), "passage": Waiting()}
        self._at_work: list[_Call] = []
        self._runner: asyncio.Task[None] | None = None

    async def embed(self, texts: Sequence[str], kind: Kind, tenant: int = NO_TENANT) -> Vectors:
        """Embed texts when it is this tenant's turn.

        Raises TooManyRequests if too many calls of the tenant wait already, and what the encoder raises.
        """
        if not texts:
            return np.empty((0, self.encoder.dimension), np.float32)
        waiting = self._waiting[kind]
        if waiting.count(tenant) >= self._max_waiting:
            raise TooManyRequests(
                f"{self._max_waiting} requests of this tenant are waiting for the embedding model. "
                "Wait for some of them.",
                retry_after_s=1,
            )
        call = _Call(texts, asyncio.get_running_loop().create_future())
        if kind == "passage":
            call.order = sorted(range(len(texts)), key=lambda n: len(texts[n]))
        waiting.add(tenant, call)
        if self._runner is None or self._runner.done():
            self._runner = asyncio.create_task(self._run())
        try:
            return await call.answer
        finally:
            waiting.discard(tenant, call)

    def close(self) -> None:
        """Cancel the calls that still wait."""
        for call in (*self._at_work, *self._waiting["query"].clear(), *self._waiting["passage"].clear()):
            call.answer.cancel()
        self._thread.shutdown(wait=False, cancel_futures=True)

    async def _run(self) -> None:
        passages = self._waiting["passage"]
        while True:
            if queries := self._next_queries():
                self._at_work = queries
                await self._embed_queries(queries)
            elif (turn := passages.take()) is not None:
                tenant, call = turn
                self._at_work = [call]
                await self._embed_some_of(call)
                if not call.answer.done():
                    passages.add(tenant, call, first=True)
            else:
                self._at_work = []
                return

    def _next_queries(self) -> list[_Call]:
        taken: list[_Call] = []
        texts = characters = 0
        waiting = self._waiting["query"]
        while (call := waiting.next()) is not None:
            texts += len(call.texts)
            characters += sum(map(len, call.texts))
            if taken and (texts > QUERIES_AT_ONCE or characters > QUERY_CHARACTERS_AT_ONCE):
                break
            waiting.take()
            if not call.answer.done():  # else its caller has gone
                taken.append(call)
        return taken

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
        if call.answer.done():
            return
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

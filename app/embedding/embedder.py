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
# What is longer does not gain by going together; the next one would only wait longer.
SHORT_CHARACTERS = 200
MAX_WAITING = 64


@dataclass(eq=False)
class _Call:
    texts: Sequence[str]
    kind: Kind
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
    """Runs two batches at a time, each in a thread: one of short queries, and one of long texts.

    So no short query waits for a long text. Tenants take turns at both.
    """

    def __init__(self, encoder: Encoder, *, max_waiting: int = MAX_WAITING) -> None:
        self.encoder = encoder
        self._max_waiting = max_waiting
        self._short, self._long = _ShortQueries(encoder), _LongTexts(encoder)

    async def embed(self, texts: Sequence[str], kind: Kind, tenant: int = NO_TENANT) -> Vectors:
        """Embed texts when it is this tenant's turn.

        Raises TooManyRequests if too many calls of the tenant wait already, and what the encoder raises.
        """
        if not texts:
            return np.empty((0, self.encoder.dimension), np.float32)
        short = kind == "query" and sum(map(len, texts)) <= SHORT_CHARACTERS
        lane = self._short if short else self._long
        waiting = lane.waiting[kind]
        self._refuse_if_full(waiting, tenant)
        call = _Call(texts, kind, asyncio.get_running_loop().create_future())
        waiting.add(tenant, call)
        lane.wake()
        try:
            return await call.answer
        finally:
            waiting.discard(tenant, call)

    def refuse_if_full(self, tenant: int) -> None:
        """Raise TooManyRequests if too many queries of this tenant wait: worth asking before their texts are read."""
        for lane in (self._short, self._long):
            self._refuse_if_full(lane.waiting["query"], tenant)

    def _refuse_if_full(self, waiting: Waiting[_Call], tenant: int) -> None:
        if waiting.count(tenant) >= self._max_waiting:
            raise TooManyRequests(
                f"{self._max_waiting} requests of this tenant are waiting for the embedding model. "
                "Wait for some of them.",
                retry_after_s=1,
            )

    def close(self) -> None:
        """Cancel the calls that still wait."""
        self._short.close()
        self._long.close()


class _Lane:
    """Runs one batch at a time, in its own thread."""

    def __init__(self, encoder: Encoder) -> None:
        self._encoder = encoder
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="embed")
        self.waiting: dict[Kind, Waiting[_Call]] = {"query": Waiting(), "passage": Waiting()}
        self._at_work: Sequence[_Call] = ()
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


class _ShortQueries(_Lane):
    """Those that arrive while a batch runs are embedded together in the next one."""

    async def _embed_next(self) -> bool:
        self._at_work = taken = self._take()
        if taken:
            await self._embed(taken)
        return bool(taken)

    def _take(self) -> list[_Call]:
        taken: list[_Call] = []
        texts, waiting = 0, self.waiting["query"]
        while (call := waiting.next()) is not None:
            texts += len(call.texts)
            if taken and texts > QUERIES_AT_ONCE:
                break
            waiting.take()
            if not call.answer.done():  # else its caller has gone
                taken.append(call)
        return taken

    async def _embed(self, calls: Sequence[_Call]) -> None:
        try:
            vectors = await self._encode([text for call in calls for text in call.texts], "query")
        except Exception as error:
            if len(calls) == 1 or isinstance(error, Unavailable):
                for call in calls:
                    call.fail(error)
                return
            # One text may be the cause: the others must not fail with it.
            for call in calls:
                await self._embed([call])
            return
        ends = np.cumsum([len(call.texts) for call in calls])
        for call, end in zip(calls, ends, strict=True):
            call.succeed(vectors[end - len(call.texts) : end])


class _LongTexts(_Lane):
    """They go in small batches of like length: queries, and passages between those."""

    async def _embed_next(self) -> bool:
        for waiting in self.waiting.values():
            if (turn := waiting.take()) is not None:
                tenant, call = turn
                self._at_work = (call,)
                await self._embed_some_of(call)
                if not call.answer.done():
                    waiting.add(tenant, call, first=True)
                return True
        return False

    async def _embed_some_of(self, call: _Call) -> None:
        if call.answer.done():
            return
        try:
            call.order = call.order or sorted(range(len(call.texts)), key=lambda n: len(call.texts[n]))
            chosen = call.order[call.begun : call.begun + self._encoder.passages_at_once]
            call.begun += len(chosen)
            call.parts.append(await self._encode([call.texts[n] for n in chosen], call.kind))
        except Exception as error:
            call.fail(error)
            return
        if call.begun == len(call.order):
            vectors = np.empty((len(call.order), call.parts[0].shape[1]), np.float32)
            vectors[call.order] = np.concatenate(call.parts)
            call.succeed(vectors)

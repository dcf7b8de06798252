"""Embed in a thread: the one place where embedding leaves the event loop."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import numpy as np

from app.embedding.encoder import Encoder, Kind, Vectors
from app.embedding.lane import Call, Lane
from app.embedding.long_texts import LongTexts
from app.embedding.spare_cores import SpareCores
from app.errors import TooManyRequests, Unavailable
from app.turns import NO_TENANT, Waiting

QUERIES_AT_ONCE = 32
# What is longer does not gain by going together; the next one would only wait longer.
SHORT_CHARACTERS = 200
MAX_WAITING = 64


class Embedder:
    """Runs two batches at a time, each in a thread: one of short queries, and one of long texts.

    So no short query waits for a long text. Tenants take turns at both. On spare cores, if there are any, more batches
    of long texts run.
    """

    def __init__(self, encoder: Encoder, *, spare: SpareCores | None = None, max_waiting: int = MAX_WAITING) -> None:
        self.encoder = encoder
        self._max_waiting = max_waiting
        self.threads = 1 + (spare.threads if spare else 0)
        """How many batches of long texts may run at a time."""
        self._short, self._long = _ShortQueries(encoder), LongTexts(encoder, spare)

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
        call = Call(texts, kind, asyncio.get_running_loop().create_future())
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

    def _refuse_if_full(self, waiting: Waiting[Call], tenant: int) -> None:
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


class _ShortQueries(Lane):
    """Those that arrive while a batch runs are embedded together in the next one."""

    async def _embed_next(self) -> bool:
        self._at_work = taken = self._take()
        if taken:
            await self._embed(taken)
        return bool(taken)

    def _take(self) -> list[Call]:
        taken: list[Call] = []
        texts, waiting = 0, self.waiting["query"]
        while (call := waiting.next()) is not None:
            texts += len(call.texts)
            if taken and texts > QUERIES_AT_ONCE:
                break
            waiting.take()
            if not call.answer.done():  # else its caller has gone
                taken.append(call)
        return taken

    async def _embed(self, calls: Sequence[Call]) -> None:
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

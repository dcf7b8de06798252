"""Long texts, in small batches of like length: on one thread, and on spare cores if the process may have them."""

from __future__ import annotations

import asyncio
from collections import deque
from concurrent.futures import Executor
from dataclasses import dataclass
from time import monotonic

import numpy as np

from app.embedding.encoder import Encoder, Vectors
from app.embedding.lane import Call, Lane
from app.embedding.spare_cores import SpareCores

# A core may turn out not to be spare: the first thread embeds what takes so many times as long as its own batches.
LATE_TIMES = 3
LATE_S = 0.25


@dataclass(eq=False)
class _Batch:
    call: Call
    chosen: list[int]
    finished: bool = False

    @property
    def texts(self) -> list[str]:
        return [self.call.texts[n] for n in self.chosen]

    def finish(self, vectors: Vectors) -> None:
        """Give the call its vectors, unless they came already."""
        if self.finished:
            return
        self.finished, call = True, self.call
        call.order += self.chosen
        call.parts.append(vectors)
        if len(call.order) == len(call.texts):
            whole = np.empty((len(call.order), vectors.shape[1]), np.float32)
            whole[call.order] = np.concatenate(call.parts)
            call.succeed(whole)


class LongTexts(Lane):
    """Queries, and passages between those."""

    def __init__(self, encoder: Encoder, spare: SpareCores | None = None) -> None:
        super().__init__(encoder)
        self._spare = spare
        self._helping: set[asyncio.Task[None]] = set()
        self._taken: set[_Batch] = set()
        self._late: deque[_Batch] = deque()
        self._usual_s = 0.0

    def wake(self) -> None:
        super().wake()
        for _ in range(self._spare.threads - len(self._helping) if self._spare else 0):
            task = asyncio.create_task(self._help())
            self._helping.add(task)
            task.add_done_callback(self._helping.discard)

    def close(self) -> None:
        super().close()
        for batch in self._taken:
            batch.call.answer.cancel()
        if self._spare is not None:
            self._spare.close()

    async def _embed_next(self) -> bool:
        if (batch := self._late.popleft() if self._late else self._take()) is None:
            return False
        if not batch.finished:
            started = monotonic()
            await self._embed(batch, self._encoder, self._thread)
            self._usual_s = monotonic() - started
        return True

    async def _help(self) -> None:
        """Embed on a spare core while more waits than the first thread takes."""
        if self._spare is None or not any(map(len, self.waiting.values())):
            return
        async with self._spare.taken() as encoder:
            while encoder is not None and (batch := self._take()) is not None:
                work = asyncio.ensure_future(self._embed(batch, encoder, self._spare.pool))
                if not (await asyncio.wait({work}, timeout=max(LATE_S, LATE_TIMES * self._usual_s)))[0]:
                    self._late.append(batch)
                    super().wake()
                await work

    def _take(self) -> _Batch | None:
        """Take the next batch. What is left of its call stays for whoever is free first."""
        for waiting in self.waiting.values():
            while (turn := waiting.take()) is not None:
                tenant, call = turn
                if call.answer.done():  # its caller has gone, or a batch of it has failed
                    continue
                call.left = call.left or sorted(range(len(call.texts)), key=lambda n: len(call.texts[n]))
                at_once = self._encoder.passages_at_once
                batch, call.left = _Batch(call, call.left[:at_once]), call.left[at_once:]
                if call.left:
                    waiting.add(tenant, call, first=True)
                self._taken.add(batch)
                return batch
        return None

    async def _embed(self, batch: _Batch, encoder: Encoder, thread: Executor) -> None:
        loop, call = asyncio.get_running_loop(), batch.call
        try:
            batch.finish(await loop.run_in_executor(thread, encoder.encode, batch.texts, call.kind))
        except Exception as error:
            call.fail(error)
        finally:
            self._taken.discard(batch)

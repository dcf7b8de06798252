"""Ray's driver, the process that Ray is used in, as a child process that the command outlives.

Ray ends its driver at once, without an exception or a message, as soon as the driver finds the node that it is
attached to gone, be that for lack of memory or on a machine too busy to answer for it.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

from app.errors import KyujangError
from app.sandbox.subprocesses import ROOT, ChildProcess, OutputError
from app.settings import Settings, inherited_environment
from ingest.jobs.queue import ClaimedDocument

log = logging.getLogger("kyujang.ray")

CHILD = "ingest.cluster.driver_child"
STOP_LIMIT_S = 10
MAX_ANSWER_BYTES = 16 << 20
MAX_DRIVERS = 2
AGAIN = "Ray ended its driver; another one is started"
ENDED = (
    f"Ray ended its driver {MAX_DRIVERS} times. Its logs may say why, by default under /tmp/ray/session_latest/logs. "
    "Run the same command again: it continues where this one stopped."
)


class Driver:
    def __init__(self, settings: Settings, address: str | None) -> None:
        self._settings = settings
        self._address = address
        self._child: ChildProcess | None = None
        self._ended = 0

    async def ingest(self, claims: Sequence[ClaimedDocument]) -> bool:
        """Ingest the documents. False if Ray has ended its driver, for the first time. Raises KyujangError."""
        if self._child is None:
            self._child = await self._start()
        answer: dict[str, Any] | None = None
        try:
            await self._child.send((self._settings, claims))
            with suppress(OutputError):
                answer = await self._child.message()
        finally:
            if answer is None:
                await self._kill()
        if answer is None:
            self._ended += 1
            if self._ended == MAX_DRIVERS:
                raise KyujangError(ENDED)
            log.warning(AGAIN)
            return False
        if "error" in answer:
            raise KyujangError(answer["error"])
        return True

    async def close(self) -> None:
        if self._child is None:
            return
        await self._child.send(None)
        with suppress(TimeoutError):
            await asyncio.wait_for(self._child.wait(), STOP_LIMIT_S)
        await self._kill()

    async def _start(self) -> ChildProcess:
        return await ChildProcess.start(
            CHILD,
            self._address or "",
            environment={**inherited_environment(), "PYTHONPATH": str(ROOT)},
            max_message_bytes=MAX_ANSWER_BYTES,
            show_stderr=True,
        )

    async def _kill(self) -> None:
        """End the driver; the kernel and its raylet end the rest."""
        child, self._child = self._child, None
        if child is not None:
            await child.kill()

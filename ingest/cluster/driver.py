"""Ray's driver, the process that Ray is used in, as a child of ours, whose end we outlive.

Ray ends its driver on the spot, with no exception and no word, as soon as the driver finds the node that it is
attached to gone, be that from want of memory or on a machine too busy to answer for it.
"""

from __future__ import annotations

import asyncio
import json
import pickle
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

from app.errors import KyujangError
from app.settings import Settings
from ingest.jobs.queue import ClaimedDocument

CHILD = [sys.executable, "-m", "ingest.cluster.driver_child"]
STOP_LIMIT_S = 10
MAX_ANSWER = 16 << 20


class DriverEnded(Exception):
    """Without an answer."""


class Driver:
    def __init__(self, address: str | None) -> None:
        self._address = address
        self._process: Process | None = None

    async def take_in(self, settings: Settings, works: Sequence[ClaimedDocument]) -> str | None:
        """Why a node could not work at all, if one said so. Raises KyujangError, DriverEnded."""
        if self._process is None:
            self._process = await self._start()
        answer: dict[str, str | None] | None = None
        try:
            await _send(self._process, (settings, works))
            assert self._process.stdout is not None
            answer = json.loads(await self._process.stdout.readline() or "null")
        finally:
            if answer is None:
                await self._kill()
        if answer is None:
            raise DriverEnded
        if error := answer.get("error"):
            raise KyujangError(error)
        return answer["broken"]

    async def close(self) -> None:
        if self._process is None:
            return
        await _send(self._process, None)
        with suppress(TimeoutError):
            await asyncio.wait_for(self._process.wait(), STOP_LIMIT_S)
        await self._kill()

    async def _start(self) -> Process:
        # A session of its own: Ctrl+C is ours alone to answer.
        return await asyncio.create_subprocess_exec(
            *CHILD, self._address or "", stdin=PIPE, stdout=PIPE, limit=MAX_ANSWER, start_new_session=True
        )

    async def _kill(self) -> None:
        """The kernel and its raylet end the rest of it."""
        process, self._process = self._process, None
        if process is not None and process.returncode is None:
            process.kill()
            await process.wait()


async def _send(process: Process, request: Any) -> None:
    assert process.stdin is not None
    # If it has ended, its last answer says why.
    with suppress(ConnectionError):
        process.stdin.write(pickle.dumps(request))
        await process.stdin.drain()

"""The server that a process of the API ends with: told to stop, it first goes on for a while, then takes no more."""

from __future__ import annotations

import asyncio
import logging
import math
import socket
from typing import TYPE_CHECKING

from app.stopping import Stopping

if TYPE_CHECKING:
    import uvicorn

log = logging.getLogger("kyujang.server")

# An answer has KYUJANG_LLM_TIMEOUT_S, and what comes before and after the engine.
BESIDE_ENGINE_S = 10
EVERY_S = 0.1


def longest_answer_s(llm_timeout_s: float) -> int:
    return math.ceil(llm_timeout_s) + BESIDE_ENGINE_S


def stopping_server(config: uvicorn.Config, stopping: Stopping, drain_s: float) -> uvicorn.Server:
    # Here, since other commands need not wait for it.
    import uvicorn

    class StoppingServer(uvicorn.Server):
        async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
            """Called with the listeners still open. A second Ctrl-C ends the wait."""
            stopping.told = True
            log.info("stopping", extra={"drain_s": drain_s})
            for _ in range(round(drain_s / EVERY_S)):
                if self.force_exit:
                    break
                await asyncio.sleep(EVERY_S)
            stopping.closed = True
            await super().shutdown(sockets)

    return StoppingServer(config)

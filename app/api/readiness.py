"""Whether this process can serve: database, embedder and engine, tried for real at most every few seconds."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Mapping
from dataclasses import dataclass

from app.errors import KyujangError
from app.services import Services

# Longer than the engine's own check takes at most.
READY_TIMEOUT_S = 10
KEPT_S = 5
STARTING = "starting"
NOT_LATE = ("ok", STARTING)


@dataclass(frozen=True, slots=True)
class Readiness:
    dependencies: Mapping[str, str]
    late: Mapping[str, str]
    """Those that are not ready, with what is wrong."""


class ReadinessCheck:
    """Tries once for all who ask meanwhile, and keeps the result: trying costs the embedder and the engine work."""

    def __init__(self) -> None:
        self._trying = asyncio.Lock()
        self._known: Readiness | None = None
        self._known_until = 0.0

    async def __call__(self, services: Services) -> Readiness:
        async with self._trying:
            if self._known is None or time.monotonic() >= self._known_until:
                self._known = await _tried(services)
                self._known_until = time.monotonic() + KEPT_S
            return self._known


async def _tried(services: Services) -> Readiness:
    checks: dict[str, Awaitable[object]] = {
        "database": services.database.ready(),
        "embedder": services.spaces.current.embedder.embed(["ready?"], "query"),
    }
    if services.engine is not None:
        checks["engine"] = services.engine.ready()
    found = await asyncio.gather(*(_state(check) for check in checks.values()))
    dependencies = dict(zip(checks, found, strict=True))
    if services.engine is None:
        dependencies["engine"] = "none: answers are extractive"
    else:
        dependencies |= services.engine.replicas
        if services.engine.starting and services.settings.fallback == "extract":
            dependencies["engine"] = STARTING
    if services.spaces.stale_reason is not None:
        dependencies["embedding_switch"] = (
            f"answers rest on the model before the switch: {services.spaces.stale_reason}"
        )
    return Readiness(dependencies, {name: dependencies[name] for name in checks if dependencies[name] not in NOT_LATE})


async def _state(check: Awaitable[object]) -> str:
    try:
        async with asyncio.timeout(READY_TIMEOUT_S):
            await check
    except KyujangError as error:
        return error.detail
    except TimeoutError:
        return f"no answer within {READY_TIMEOUT_S} s"
    return "ok"

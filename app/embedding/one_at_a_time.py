"""A thread of its own for a model that takes one batch at a time, and tenants that take turns at it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from app.turns import Slots

Result = TypeVar("Result")


class OneAtATime:
    def __init__(self, name: str) -> None:
        self._thread = ThreadPoolExecutor(1, thread_name_prefix=name)
        self._turns = Slots(total=1, per_tenant=1)

    async def run(self, tenant: int, work: Callable[[], Result]) -> Result:
        async with self._turns.slot(tenant):
            return await asyncio.get_running_loop().run_in_executor(self._thread, work)

    def close(self) -> None:
        self._thread.shutdown(wait=False, cancel_futures=True)

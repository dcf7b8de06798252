"""Whether an answer waits until it is counted."""

from __future__ import annotations

import asyncio

import pytest

from app.metering import EngineCall, TokenUsage
from app.storage.meter import Meter
from app.storage.usage import waits_for_count


class Slow:
    """A database that answers when the gate opens."""

    def __init__(self) -> None:
        self.gate, self.written = asyncio.Event(), []

    async def operator_at_once(self, statements, parameters) -> None:
        await self.gate.wait()
        self.written += parameters["ids"]


@pytest.mark.parametrize("waits", [True, False])
async def test_an_answer_waits_for_its_count_under_a_limit_of_tokens_alone(waits):
    database, call = Slow(), EngineCall(1, 100, 10)
    meter = Meter(database)
    token = waits_for_count.set(waits)
    settling = asyncio.create_task(meter.settle(call, TokenUsage(9, 2)))
    waits_for_count.reset(token)
    await asyncio.wait({settling}, timeout=0.2)
    assert settling.done() is not waits
    closing = asyncio.create_task(meter.close())
    await asyncio.sleep(0)
    database.gate.set()
    await asyncio.gather(settling, closing)
    assert database.written == [call.id]


async def test_with_nothing_to_count_the_database_is_left_alone():
    database = Slow()
    await asyncio.wait_for(Meter(database).flush(), timeout=5)
    assert database.written == []

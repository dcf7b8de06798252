"""Batches are made ahead of the one that is stored, and stored in order."""

from __future__ import annotations

import asyncio

import pytest

from ingest.ahead import store_in_order
from ingest.jobs.queue import TurnOver


class Log:
    def __init__(self, turn_over_before: int | None = None) -> None:
        self.made, self.stored, self.turn_over_before = [], [], turn_over_before
        self.most = self.asked = 0

    async def make(self, batch):
        self.made.append(batch)
        self.most = max(self.most, len(self.made) - len(self.stored))
        await asyncio.sleep(0)
        if batch == "bad":
            raise ValueError(batch)
        return batch

    async def store(self, made):
        await asyncio.sleep(0.001)
        self.stored.append(made)

    async def before(self):
        self.asked += 1
        if self.asked == self.turn_over_before:
            raise TurnOver
        await asyncio.sleep(0)

    async def run(self, batches, ahead=2):
        await store_in_order(batches, self.make, self.store, before=self.before, ahead=ahead)


async def test_some_are_made_while_the_first_is_stored_in_order():
    log = Log()
    await log.run(range(10))
    assert log.stored == log.made == list(range(10))
    assert log.most == 3


async def test_what_is_made_when_the_turn_is_over_is_stored_first():
    log = Log(turn_over_before=2)
    with pytest.raises(TurnOver):
        await log.run(range(10), ahead=5)
    assert log.stored == log.made == [0, 1]


async def test_a_fault_ends_it_after_what_came_before():
    log = Log()
    with pytest.raises(ValueError, match="bad"):
        await log.run([0, 1, "bad", 3, 4, 5])
    assert log.stored == [0, 1]

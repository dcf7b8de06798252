from __future__ import annotations

import asyncio

import pytest

from app import concurrency
from app.concurrency import run_forever, unbroken


async def test_work_that_fails_or_ends_restarts_until_it_is_cancelled(monkeypatch, caplog):
    monkeypatch.setattr(concurrency, "PAUSE_S", 0)
    begun: list[int] = []
    third = asyncio.Event()

    async def work() -> None:
        begun.append(len(begun))
        if len(begun) == 1:
            raise KeyError("nobody foresaw this")
        if len(begun) == 3:
            third.set()
            await asyncio.sleep(60)

    task = asyncio.create_task(run_forever(work))
    await asyncio.wait_for(third.wait(), 30)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert begun == [0, 1, 2]
    assert [record.levelname for record in caplog.records if record.name == concurrency.log.name] == ["ERROR"]


async def test_what_others_need_is_done_although_its_caller_has_gone():
    done = []

    async def work() -> str:
        for _ in range(5):
            await asyncio.sleep(0)
        done.append(True)
        return "done"

    task = asyncio.create_task(unbroken(work()))
    for _ in range(2):
        await asyncio.sleep(0)
        task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert done == [True]
    assert await unbroken(work()) == "done"

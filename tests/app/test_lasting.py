from __future__ import annotations

import asyncio

import pytest

from app import lasting
from app.lasting import lasting as last


async def test_work_that_fails_or_ends_begins_anew_until_it_is_cancelled(monkeypatch, caplog):
    monkeypatch.setattr(lasting, "PAUSE_S", 0)
    begun: list[int] = []
    third = asyncio.Event()

    async def work() -> None:
        begun.append(len(begun))
        if len(begun) == 1:
            raise KeyError("nobody foresaw this")
        if len(begun) == 3:
            third.set()
            await asyncio.sleep(60)

    task = asyncio.create_task(last(work))
    await asyncio.wait_for(third.wait(), 30)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert begun == [0, 1, 2]
    assert [record.levelname for record in caplog.records if record.name == lasting.log.name] == ["ERROR"]

"""How many slots a tenant has, alone and beside others."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack

import pytest

from app import turns
from app.turns import Slots

A, B = 1, 2


async def settled() -> None:
    for _ in range(10):
        await asyncio.sleep(0)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    now = [100.0]
    monkeypatch.setattr(turns, "monotonic", lambda: now[0])
    return now


async def test_a_tenant_has_all_its_slots_alone_and_few_beside_another(clock: list[float]) -> None:
    slots = Slots(total=10, per_tenant=6, beside_others=2)
    go = asyncio.Event()

    async def visit(tenant: int) -> None:
        async with slots.slot(tenant):
            await go.wait()

    flood = [asyncio.create_task(visit(A)) for _ in range(20)]
    await settled()
    assert (slots.running_of(A), slots.waiting) == (6, 14)
    async with AsyncExitStack() as held:
        await held.enter_async_context(slots.slot(B))
        go.set()
        go.clear()
        await settled()
        assert slots.running_of(A) == 2
        assert not slots.free(A)
        assert slots.free(B)
    clock[0] += turns.BESIDE_S
    go.set()
    go.clear()
    await settled()
    assert slots.running_of(A) == 6
    go.set()
    await asyncio.gather(*flood)
    assert slots.running == 0


async def test_a_tenant_that_has_gone_is_forgotten(clock: list[float]) -> None:
    slots = Slots(total=10, per_tenant=6, beside_others=2)
    for tenant in range(100):
        async with slots.slot(tenant):
            clock[0] += 1
    assert len(slots._asked_at) <= 4

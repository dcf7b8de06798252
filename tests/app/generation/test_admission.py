"""A place that is not given back is gone for good, so every way to leave is tried."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import AsyncGenerator
from contextlib import aclosing, suppress

import pytest

from app.errors import Overloaded, TooManyRequests
from app.generation.admission import Admission
from app.metrics import Metrics

A, B, C = 0, 1, 2


def admission(*, concurrency: int = 2, per_tenant: int = 2, queue: int = 8, timeout_s: float = 30) -> Admission:
    return Admission(Metrics(), concurrency=concurrency, per_tenant=per_tenant, queue=queue, timeout_s=timeout_s)


async def settle() -> None:
    for _ in range(10):
        await asyncio.sleep(0)


class Visitor:
    """Holds a place until it is told to go."""

    def __init__(self, where: Admission, tenant: int, came: list[int] | None = None) -> None:
        self.inside = False
        self.leave = asyncio.Event()
        self.task = asyncio.create_task(self._visit(where, tenant, [] if came is None else came))

    async def _visit(self, where: Admission, tenant: int, came: list[int]) -> None:
        async with where.slot(tenant):
            self.inside = True
            came.append(tenant)
            await self.leave.wait()

    async def end(self) -> None:
        self.leave.set()
        await self.task
        await settle()


async def test_no_more_than_so_many_at_a_time():
    where = admission(concurrency=3, per_tenant=2)
    visitors = [Visitor(where, tenant) for tenant in (A, A, A, B, B)]
    await settle()
    assert [each.inside for each in visitors] == [True, True, False, True, False]
    assert (where.running, where.waiting) == (3, 2)
    await visitors[3].end()
    assert [each.inside for each in visitors[2:]] == [False, True, True]
    await visitors[0].end()
    assert visitors[2].inside
    for each in visitors:
        each.leave.set()
    await asyncio.gather(*(each.task for each in visitors))
    assert (where.running, where.waiting) == (0, 0)


async def test_tenants_take_turns():
    where = admission(concurrency=1)
    came: list[int] = []
    visitors = [Visitor(where, tenant, came) for tenant in (A, A, A, A, A, B, B, C)]
    await settle()
    for each in visitors:
        each.leave.set()
    await asyncio.gather(*(each.task for each in visitors))
    assert came == [A, A, B, C, A, B, A, A]


async def test_a_tenant_at_its_limit_stands_in_nobodys_way():
    where = admission(concurrency=3, per_tenant=1)
    visitors = [Visitor(where, tenant) for tenant in (A, A, A, B)]
    await settle()
    assert [each.inside for each in visitors] == [True, False, False, True]
    for each in visitors:
        each.task.cancel()
    await settle()
    assert (where.running, where.waiting) == (0, 0)


async def test_a_full_queue_is_the_tenants_own():
    where = admission(concurrency=1, queue=2)
    visitors = [Visitor(where, A) for _ in range(3)]
    await settle()
    with pytest.raises(TooManyRequests, match="2 are waiting") as caught:
        async with where.slot(A):
            pass
    assert caught.value.status == 429
    assert caught.value.headers["Retry-After"]
    other = Visitor(where, B)
    await settle()
    assert where.waiting == 3
    for each in (*visitors, other):
        each.leave.set()
    await asyncio.gather(other.task, *(each.task for each in visitors))
    assert (where.running, where.waiting) == (0, 0)


async def test_too_long_a_wait_is_an_overload():
    where = admission(concurrency=1, timeout_s=0.05)
    first = Visitor(where, A)
    await settle()
    with pytest.raises(Overloaded, match="KYUJANG_QUEUE_TIMEOUT_S") as caught:
        async with where.slot(B):
            pass
    assert (caught.value.status, where.waiting) == (503, 0)
    await first.end()
    assert where.running == 0


async def test_who_hangs_up_leaves_the_queue_at_once():
    where = admission(concurrency=1)
    first, second, third = (Visitor(where, A) for _ in range(3))
    await settle()
    second.task.cancel()
    await settle()
    assert where.waiting == 1
    await first.end()
    assert third.inside
    await third.end()
    assert (where.running, where.waiting) == (0, 0)


async def test_who_hangs_up_in_the_moment_of_its_turn_passes_it_on():
    where = admission(concurrency=1)
    first, second, third = (Visitor(where, tenant) for tenant in (A, A, B))
    await settle()
    first.leave.set()
    # The place has been given to one of them, which has not come to run yet.
    while where.waiting == 2:
        await asyncio.sleep(0)
    assert [second.inside, third.inside] == [False, False]
    second.task.cancel()
    third.task.cancel()
    await settle()
    assert (where.running, where.waiting) == (0, 0)
    last = Visitor(where, C)
    await settle()
    assert last.inside
    await last.end()


async def test_an_error_gives_the_place_back():
    where = admission()
    with pytest.raises(ZeroDivisionError):
        async with where.slot(A):
            raise ZeroDivisionError
    assert where.running == 0


async def test_a_generator_gives_the_place_back_however_it_ends():
    where = admission()

    async def parts() -> AsyncGenerator[int]:
        async with where.slot(A):
            for number in range(3):
                yield number

    assert [part async for part in parts()] == [0, 1, 2]
    async with aclosing(parts()) as closed:
        assert await anext(closed) == 0
        assert where.running == 1
    assert where.running == 0

    async def read(stuck: asyncio.Event) -> None:
        async with aclosing(parts()) as read:
            async for _ in read:
                await stuck.wait()

    task = asyncio.create_task(read(asyncio.Event()))
    await settle()
    assert where.running == 1
    task.cancel()
    await settle()
    assert where.running == 0
    forgotten = parts()
    await anext(forgotten)
    del forgotten
    await settle()
    assert where.running == 0


@pytest.mark.parametrize("seed", range(20))
async def test_nothing_leaks_whatever_happens_and_the_limits_hold(seed):
    dice = random.Random(seed)
    where = admission(concurrency=4, per_tenant=2, queue=3, timeout_s=0.01)
    inside: Counter[int] = Counter()
    most_of_all = most_of_one = 0

    async def visit(tenant: int) -> None:
        nonlocal most_of_all, most_of_one
        for _ in range(dice.randrange(3)):
            await asyncio.sleep(0)
        async with where.slot(tenant):
            inside[tenant] += 1
            most_of_all, most_of_one = max(most_of_all, inside.total()), max(most_of_one, inside[tenant])
            try:
                await asyncio.sleep(dice.choice([0, 0, 0.001, 0.02]))
                if dice.random() < 0.2:
                    raise ZeroDivisionError
            finally:
                inside[tenant] -= 1

    async def restless(task: asyncio.Task[None]) -> None:
        for _ in range(dice.randrange(12)):
            await asyncio.sleep(0)
        task.cancel()

    visits = []
    for _ in range(150):
        visits.append(asyncio.create_task(visit(dice.randrange(4))))
        if dice.random() < 0.3:
            visits.append(asyncio.create_task(restless(visits[-1])))
        if dice.random() < 0.3:
            await asyncio.sleep(0.001)
    for each in visits:
        with suppress(asyncio.CancelledError, ZeroDivisionError, TooManyRequests, Overloaded):
            await each
    assert (where.running, where.waiting) == (0, 0)
    assert most_of_all == 4
    assert most_of_one == 2
    async with where.slot(A), where.slot(A):
        assert where.running == 2


async def test_without_a_queue_a_request_is_refused_only_while_another_is_answered():
    admission = Admission(Metrics(), concurrency=4, per_tenant=1, queue=0, timeout_s=1)
    admission.refuse_if_full(1)
    async with admission.slot(1):
        with pytest.raises(TooManyRequests):
            admission.refuse_if_full(1)
        admission.refuse_if_full(2)
    admission.refuse_if_full(1)

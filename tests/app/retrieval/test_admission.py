"""How many searches of a tenant are under way beside another's."""

from __future__ import annotations

import asyncio

import pytest

from app import cpu
from app.retrieval.admission import SearchAdmission

A, B = 1, 2


@pytest.mark.parametrize(("cores", "beside_another"), [(1, 1), (2, 1), (4, 3), (64, 8)])
async def test_a_tenants_searches_leave_a_core_to_anothers(
    cores: int, beside_another: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cpu, "cores", lambda: cores)
    admission = SearchAdmission(per_tenant=8)
    under_way, most = 0, 0

    async def search() -> None:
        nonlocal under_way, most
        async with admission.slot(A):
            under_way += 1
            most = max(most, under_way)
            await asyncio.sleep(0)
            under_way -= 1

    async with admission.slot(B):
        await asyncio.gather(*(search() for _ in range(20)))
    assert most == beside_another

"""Which tenants' postings a worker merges."""

from __future__ import annotations

from prometheus_client import CollectorRegistry

from app.storage import posting_merges
from app.work_metrics import WorkMetrics
from ingest.merging import Merger
from tests.contract.in_postgres import new_tenant
from tests.contract.indexed import indexed
from tests.contract.texts import load_terms, remove_terms


async def test_tenants_are_merged_once_they_change_whatever_another_s_fault(services, owner_url, monkeypatch):
    faulty, sound = [await new_tenant(services.database) for _ in range(2)]
    looked_at: list[int] = []
    merge_due = posting_merges.merge_due

    async def watched(database, tenant, tell) -> bool:
        if tenant in (faulty, sound):
            looked_at.append(tenant)
        if tenant == faulty:
            raise ValueError
        return await merge_due(database, tenant, tell)

    monkeypatch.setattr(posting_merges, "merge_due", watched)
    monkeypatch.setattr(posting_merges, "FEWEST_CHUNKS", 2)
    merger = Merger(services.database, WorkMetrics(registry := CollectorRegistry()))
    await load_terms(services.database, sound, [["word"]] * 3)
    for _ in range(2):
        await merger.merge()
    assert len(indexed(owner_url, sound).segments) == 1
    assert looked_at == [faulty, sound, faulty], "what is merged is looked at again once it changes"
    await remove_terms(services.database, sound, [0])
    for _ in range(2):
        await merger.merge()
    assert looked_at[3:] == [faulty, sound, faulty]
    indexed(owner_url, sound).assert_sound({1, 2})
    await load_terms(services.database, sound, [["word"]], first=3)
    await merger.merge()
    assert registry.get_sample_value("kyujang_unmerged_chunks") == 1

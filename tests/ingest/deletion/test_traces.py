"""After its deletion nothing of a tenant is left, wherever one looks; and what looks finds another tenant."""

from __future__ import annotations

import asyncio

import numpy as np
import psycopg
import pytest

from app.storage import tenant_rows
from tests.app.storage.tables import tables_of_tenants
from tests.deleting import worked_off
from tests.ingest.deletion.conftest import another_process
from tests.ingest.deletion.filling import OPERATOR, leave_waiting, registered, store
from tests.ingest.deletion.traces import in_files, in_tables, rows
from tests.ingest.working import Worker

# What goes with its tenant's row, and with rows that go some at a time.
WITH_THE_TENANT = {
    "adapter_activations", "adapter_versions", "adapters", "api_keys", "audit", "changes", "collections", "job_turns",
    "engine_calls", "index_positions", "map_axes", "map_layouts", "operator_requests", "parts", "posting_segments",
    "prompt_versions", "prompts", "query_logs", "request_windows", "webhooks",
}  # fmt: skip
WITH_THEIR_ROWS = {"document_values", "part_documents", "postings", "vectors_1"}
# Some of those that hold what a tenant has written.
WITH_TEXTS = {
    "adapter_activations", "adapter_versions", "api_keys", "audit", "chunks", "collections", "document_texts",
    "document_values", "documents", "job_items", "lexicon", "operator_requests", "part_documents", "parts",
    "posting_blocks", "postings", "prompt_versions", "prompts", "queries", "staged_chunks", "staged_pages", "tenants",
    "webhooks",
}  # fmt: skip
# What is still to be removed of files, and what is told of the deletion.
OUTLIVING = {"removals", "tenant_deletions", "usage_days"}

pytestmark = pytest.mark.usefixtures("settled")


@pytest.fixture
async def filled(anonymous, services, engine, owner_url):
    gone = await registered(anonymous, services, "gwanghwa", "bulgasarik")
    stays = await registered(anonymous, services, "sungnye", "haetaerok")
    async with Worker(services):
        await asyncio.gather(*map(store, (gone, stays)))
    for each in (gone, stays):
        await leave_waiting(each, services, engine, owner_url)
    await services.spaces.current.store.close()
    return gone, stays


def test_every_table_of_tenants_is_known_to_deletion(owner_url):
    known = {table.name for table in tenant_rows.TABLES} | WITH_THE_TENANT | WITH_THEIR_ROWS | OUTLIVING
    assert set(tables_of_tenants(owner_url)) == known, "let tests/ingest/deletion/filling.py leave a row in a new one"


def sums(owner_url: str, tenant: int) -> set[tuple[str, str, str]]:
    query = "select distinct key_id, adapter, source from usage_days where tenant_id = %s and documents + requests > 0"
    with psycopg.connect(owner_url) as owner:
        return set(owner.execute(query, [tenant]))


async def searched(store, services, filled) -> None:
    async with services.database.snapshot(filled.number) as snapshot:
        vector = np.ones(384, np.float32) / 384**0.5
        assert await store.search(snapshot, filled.number, vector, 3)


async def told(client) -> str:
    """What the operator is told of tenants, and what everybody is of the service."""
    paths = ("/tenants?limit=200", "/metrics", "/readyz")
    return "".join([(await client.get(path, headers=OPERATOR)).text for path in paths])


async def test_no_trace_is_left(filled, anonymous, services, engine, owner_url):
    gone, stays = filled
    tables, home = sorted(tables_of_tenants(owner_url)), services.settings.home
    left = {each.word: set(rows(owner_url, tables, each.number)) for each in filled}
    assert left[gone.word] == left[stays.word] == set(tables) - {"tenant_deletions"}
    there = {each.word: in_tables(owner_url, each.needles) for each in filled}
    assert there[gone.word] == there[stays.word] >= WITH_TEXTS
    files = in_files(home, gone.needles, gone.number)
    assert {name.partition("/")[0] for name in files} == {"adapters", "blobs", "index", "tune"}
    other = another_process(services)
    stores = [process.spaces.current.store for process in (services, other)]
    for store_ in stores:
        await searched(store_, services, gone)
        await searched(store_, services, stays)
    await other.spaces.current.store.close()

    accepted = await anonymous.delete(f"/tenants/{gone.slug}", headers=OPERATOR)
    assert (accepted.status_code, accepted.json()["status"]) == (202, "queued")
    for path in ("/documents", "/jobs", "/prompts", "/adapters"):
        assert (await gone.client.get(path)).status_code == 401
    await worked_off(services, gone.slug)
    await other.spaces.forget_deleted()

    assert set(rows(owner_url, tables, gone.number)) == {"tenant_deletions", "usage_days"}
    assert sums(owner_url, gone.number) == {("", "", "deleted")} != sums(owner_url, stays.number)
    assert in_tables(owner_url, gone.needles) == set()
    assert in_tables(owner_url, [gone.slug]) == {"audit", "tenant_deletions"}
    assert in_files(home, [*gone.needles, gone.slug], gone.number) == set()
    assert [name for name in engine.adapters if name.startswith(f"t{gone.number}-")] == []
    assert [store_ for store_ in stores if gone.number in store_._cached] == []
    heard = await told(anonymous)
    assert [needle for needle in (*gone.needles, gone.slug) if needle in heard] == []

    assert in_tables(owner_url, stays.needles) == there[stays.word]
    assert set(rows(owner_url, tables, stays.number)) == left[stays.word] - {"removals"}
    assert {name.partition("/")[0] for name in in_files(home, stays.needles, stays.number)} == {
        *("adapters", "blobs", "index", "tune")
    }
    assert [name for name in engine.adapters if name.startswith(f"t{stays.number}-")] != []
    assert all(stays.number in store_._cached for store_ in stores)
    assert (await stays.client.get("/documents")).json()["data"] != []
    assert stays.slug in heard

"""What stores promise beside PostgreSQL: one takes another's place, and a log of changes that is short is enough."""

from __future__ import annotations

import psycopg
import pytest

from app.retrieval.stores.pgvector import PgvectorStore
from app.storage import changelog, documents
from tests.contract.corpus import SPACE, Document, clustered, search, unit
from tests.contract.in_postgres import new_tenant, put
from tests.contract.test_vector_store import database, faiss_store, new_store, rng

__all__ = ["database", "new_store", "rng"]


async def test_a_switch_of_the_store_needs_no_new_ingest(database, rng, tmp_path):
    tenant = await new_tenant(database)
    vectors = clustered(rng, 500)
    await put(database, tenant, *(Document(f"d{n}", vectors[n * 5 : n * 5 + 5]) for n in range(100)))
    stores = [PgvectorStore(SPACE), faiss_store(tmp_path)]
    for query in unit(rng, 5, vectors[:5], 0.02):
        one, other = [await search(database, store, tenant, query, 10) for store in stores]
        assert [hit.score for hit in one] == pytest.approx([hit.score for hit in other], abs=2e-3)


def log_of(owner_url: str, tenant: int) -> int:
    with psycopg.connect(owner_url) as connection:
        connection.execute("select set_config('app.tenant', %s, true)", [str(tenant)])
        row = connection.execute("select count(*) from changes where tenant_id = %s", [tenant]).fetchone()
    assert row is not None
    return row[0]


async def test_the_log_is_pruned_and_a_process_that_is_too_far_behind_starts_again(
    new_store, database, rng, owner_url, monkeypatch
):
    monkeypatch.setattr(changelog, "KEPT_CHANGES", 3)
    tenant = await new_tenant(database)
    behind = new_store()
    await put(database, tenant, Document("a", unit(rng, 5)))
    assert len(await search(database, behind, tenant, unit(rng, 1)[0], 50)) == 5
    await put(database, tenant, *(Document(f"d{n}", unit(rng, 5)) for n in range(8)))
    await documents.delete_document(database, tenant, "a")
    assert log_of(owner_url, tenant) <= 4
    assert len(await search(database, behind, tenant, unit(rng, 1)[0], 50)) == 40

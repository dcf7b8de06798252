"""What the operator role reads across tenants: what the look-ups need, and no tenant's content."""

from __future__ import annotations

import psycopg
import pytest
from psycopg.errors import InsufficientPrivilege

from app.storage import job_creation, jobs
from app.storage.database import fetch_all
from app.storage.jobs import Upload
from app.storage.tenants import authenticate
from tests.app.storage.tables import tables_of_tenants
from tests.conftest import NewTenant

# Decision 0001: what the operator role reads of the tables that have a tenant, `*` for whole rows.
OPERATOR_READS = {
    "api_keys": {"*"},
    "operator_requests": {"*"},
    "job_items": {
        *("tenant_id", "job_id", "n", "seq", "kind", "document_id", "size", "status", "attempt"),
        *("not_before", "lease_until", "worker"),
    },
    "job_turns": {"*"},
    "parts": {"*"},
    "removals": {"*"},
    "tenant_deletions": {"*"},
    "query_logs": {"*"},
    "index_positions": {"*"},
    "audit": {"*"},
    "usage_days": {"*"},
    "engine_calls": {"*"},
    "adapter_versions": {
        "tenant_id",
        "name",
        "version",
        "engine_name",
        "status",
        "proof",
        "published",
        "deleted_at",
        "digest",
    },
    "webhook_deliveries": {"tenant_id", "seq", "status", "next_at"},
    "adapter_activations": {"tenant_id", "seq", "name", "version"},
}


def readable_columns(owner_url: str) -> dict[str, set[str]]:
    """Return those of the tables that have a tenant."""
    reads: dict[str, set[str]] = {}
    with psycopg.connect(owner_url) as connection:
        for table, columns in tables_of_tenants(owner_url).items():
            row = connection.execute(
                """
                select array_agg(name) from unnest(%s::text[]) name
                where has_column_privilege('kyujang_operator', %s, name, 'select')
                """,
                [sorted(columns), table],
            ).fetchone()
            readable = set(row[0] or ()) if row else set()
            if readable:
                reads[table] = readable
    return reads


def test_the_operator_reads_what_the_decision_says_and_no_more(owner_url):
    columns = tables_of_tenants(owner_url)
    reads = readable_columns(owner_url)
    assert {name: {"*"} if read == columns[name] else read for name, read in reads.items()} == OPERATOR_READS


async def test_the_operator_sees_no_document(services):
    async with services.database.operator() as connection:
        with pytest.raises(InsufficientPrivilege):
            await fetch_all(connection, "select * from documents")


async def test_the_operator_reads_no_tenant_s_content(services, new_tenant: NewTenant, owner_url):
    """Only the ids that a tenant has chosen for its documents are seen, where they wait."""
    client, secret = await new_tenant(), "Haetae-4711"
    number = (await authenticate(services.database, client.headers["authorization"].split()[1])).number
    upload = Upload("report", f"{number}/none", 1, b"x" * 32, secret, secret, None, {"note": secret})
    await job_creation.create_job(services.database, number, [upload])
    for kind in ("evaluate", "tune"):
        await job_creation.create_job(services.database, number, jobs.Task(kind, "tone", 1, {"rows": [secret]}))
    await client.put("/prompts/desk", json={"persona": secret})
    seen = 0
    with psycopg.connect(owner_url) as connection:
        reads = readable_columns(owner_url)
        connection.execute("set role kyujang_operator")
        for table, columns in reads.items():
            names = ", ".join(sorted(columns))
            for row in connection.execute(f"select {names} from {table}"):
                seen += 1
                assert secret not in str(row), table
    assert seen > 3

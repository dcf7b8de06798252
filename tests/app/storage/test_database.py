"""Isolation is the database's, not the query's."""

from __future__ import annotations

import psycopg
import pytest
from psycopg.errors import InsufficientPrivilege

from app.errors import DatabaseUnavailable, NotConfigured
from app.services import Services
from app.settings import Settings
from app.storage.database import Database, fetch_all
from app.storage.tenants import authenticate, create_tenant, tenant_by_slug
from tests.conftest import ingest_text

pytestmark = pytest.mark.usefixtures("worker")

TENANT_TABLES = ("api_keys", "documents", "chunks", "jobs", "job_items", "staged_chunks", "prompts", "adapter_versions")
# Decision 0001: what the operator role reads of the tables that have a tenant, `*` for whole rows.
OPERATOR_READS = {
    "api_keys": {"*"},
    "operator_requests": {"*"},
    "job_items": {"*"},
    "job_turns": {"*"},
    "adapter_versions": {"tenant_id", "name", "version", "engine_name", "status", "proof", "published", "deleted_at"},
    "adapter_activations": {"tenant_id", "seq", "name", "version"},
}


@pytest.fixture(scope="module")
async def numbers(services: Services, tenant) -> tuple[int, int]:
    """Two tenants; the first one has a document."""
    await ingest_text(tenant, "The vault's code is 4711.")
    await create_tenant(services.database, "stranger", "Stranger")
    owner = tenant.headers["authorization"].removeprefix("Bearer ")
    first = await authenticate(services.database, owner)
    return first.number, (await tenant_by_slug(services.database, "stranger")).number


def service_rows(settings: Settings, table: str, tenant: int | None) -> int:
    with psycopg.connect(settings.service_url) as connection:
        if tenant is not None:
            connection.execute("select set_config('app.tenant', %s, true)", [str(tenant)])
        row = connection.execute(f"select count(*) from {table}").fetchone()
    assert row is not None
    return row[0]


@pytest.mark.parametrize("table", [*TENANT_TABLES[1:], "tenants", "chunks_3"])
def test_without_a_tenant_no_table_shows_a_row(settings, numbers, table):
    if table == "chunks_3":
        with pytest.raises(InsufficientPrivilege):
            service_rows(settings, table, None)
    else:
        assert service_rows(settings, table, None) == 0


def test_keys_are_closed_to_the_service_role(settings, numbers):
    with pytest.raises(InsufficientPrivilege):
        service_rows(settings, "api_keys", numbers[0])


def test_a_tenant_sees_its_own_rows_alone(settings, numbers):
    mine, other = numbers
    assert service_rows(settings, "documents", mine) == service_rows(settings, "chunks", mine) == 1
    assert service_rows(settings, "documents", other) == service_rows(settings, "chunks", other) == 0
    assert service_rows(settings, "tenants", other) == 1


def test_a_row_for_another_tenant_is_refused(settings, numbers):
    mine, other = numbers
    with psycopg.connect(settings.service_url) as connection:
        connection.execute("select set_config('app.tenant', %s, true)", [str(mine)])
        with pytest.raises(InsufficientPrivilege, match="row-level security"):
            connection.execute("insert into jobs (tenant_id, id) values (%s, 'job_x')", [other])


def test_row_level_security_is_forced_on_every_table_with_a_tenant(owner_url):
    with psycopg.connect(owner_url) as connection:
        tables = connection.execute(
            """
            select c.relname, c.relrowsecurity and c.relforcerowsecurity from pg_class c
            join pg_attribute a on a.attrelid = c.oid and a.attname = 'tenant_id'
            where c.relkind in ('r', 'p') and c.relnamespace = 'public'::regnamespace
            """
        ).fetchall()
    assert {name for name, _ in tables} >= set(TENANT_TABLES)
    assert [name for name, forced in tables if not forced] == []


def test_the_service_role_owns_nothing_and_cannot_bypass(settings):
    with psycopg.connect(settings.service_url) as connection:
        role = connection.execute(
            "select rolsuper, rolbypassrls, rolcreaterole, rolcreatedb from pg_roles where rolname = current_user"
        ).fetchone()
        owned = connection.execute(
            "select count(*) from pg_class where relowner = (select oid from pg_roles where rolname = current_user)"
        ).fetchone()
    assert role == (False, False, False, False)
    assert owned == (0,)


def tables_of_tenants(owner_url: str) -> dict[str, set[str]]:
    """Return the columns of every table that has a tenant, partitions apart."""
    found: dict[str, set[str]] = {}
    with psycopg.connect(owner_url) as connection:
        for table, column in connection.execute(
            """
            select c.relname, a.attname from pg_class c join pg_attribute a on a.attrelid = c.oid and a.attnum > 0
            where c.relkind in ('r', 'p') and not c.relispartition and not a.attisdropped
                and c.relnamespace = 'public'::regnamespace
            """
        ):
            found.setdefault(table, set()).add(column)
    return {table: columns for table, columns in found.items() if "tenant_id" in columns}


def test_no_table_of_tenants_shows_a_row_to_another_or_to_none(settings, numbers, owner_url):
    tables = tables_of_tenants(owner_url)
    assert tables.keys() >= set(TENANT_TABLES) | {"postings", "document_values", "adapter_activations", "job_turns"}
    shown: dict[str, tuple[int, int]] = {}
    for table in tables:
        try:
            shown[table] = (service_rows(settings, table, None), service_rows(settings, table, numbers[1]))
        except InsufficientPrivilege:
            continue
    assert {table: rows for table, rows in shown.items() if any(rows)} == {}
    assert len(shown) > 10
    assert service_rows(settings, "postings", numbers[0]) > 0


def test_the_operator_reads_what_the_decision_says_and_no_more(owner_url):
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
                reads[table] = {"*"} if readable == columns else readable
    assert reads == OPERATOR_READS


async def test_the_operator_sees_no_document(services):
    async with services.database.operator() as connection:
        with pytest.raises(InsufficientPrivilege):
            await fetch_all(connection, "select * from documents")


async def test_a_role_that_could_bypass_is_refused(owner_url):
    database = Database(owner_url)
    with pytest.raises(NotConfigured, match="bypasses row-level security"):
        await database.open()


async def test_an_absent_database_says_what_to_do():
    database = Database("postgresql://nobody:x@127.0.0.1:9/none")
    with pytest.raises(DatabaseUnavailable, match="DATABASE_URL"):
        await database.open(wait_s=0.2)

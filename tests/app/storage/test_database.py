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

TENANT_TABLES = ("api_keys", "documents", "chunks", "jobs", "job_items", "staged_chunks")


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

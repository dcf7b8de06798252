"""Isolation is the database's, not the query's."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import AsyncExitStack, suppress
from functools import partial

import psycopg
import pytest
from psycopg.errors import InsufficientPrivilege
from psycopg.pq import PipelineStatus

from app.errors import DatabaseUnavailable, NotConfigured, NotFound
from app.services import Services
from app.settings import Settings
from app.storage import database as pool
from app.storage import tenant_deletions
from app.storage.database import OPERATOR, Database, fetch_one, without_time_limits
from app.storage.request_limits import RequestLimits
from app.storage.tenants import authenticate, create_tenant, tenant_by_slug
from bench.round_trips import counted_waits
from tests.app.storage.tables import tables_of_tenants
from tests.conftest import ingest_text

pytestmark = pytest.mark.usefixtures("worker")

TENANT_TABLES = ("api_keys", "documents", "chunks", "jobs", "job_items", "staged_chunks", "prompts", "adapter_versions")

# What the service's role may not read at all.
CLOSED = {"api_keys", "operator_requests", "removals", "job_turns", "tenant_deletions"}
# By the name of the column, else by its type.
MADE_UP = {
    "action": "deactivate", "kind": "ingest", "state": "queued", "timestamp with time zone": "2026-01-01T00:00:00Z",
    "jsonb": "{}", "boolean": "false", "bigint[]": "{}", "integer[]": "{}", "real[]": "{}", "text[]": "{}",
    "double precision[]": "{}", "halfvec": "[1]", "uuid": "00000000-0000-0000-0000-000000000001", "source": "work",
}  # fmt: skip


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
            connection.execute(
                "select set_config('app.tenant', %s, true), set_config('app.part', 'all', true)", [str(tenant)]
            )
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
        connection.execute(
            "select set_config('app.tenant', %s, true), set_config('app.part', 'all', true)", [str(mine)]
        )
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


@pytest.fixture
def filled(owner_url, numbers) -> Iterator[psycopg.Connection]:
    """The owner's transaction, in which every table of tenants has a row of the first one."""
    with psycopg.connect(owner_url) as connection:
        # What the making of the tenants has left.
        connection.execute("delete from audit")
        # Neither foreign keys nor triggers: what a row is worth does not matter here.
        connection.execute("set local session_replication_role = replica")
        for table in tables_of_tenants(owner_url):
            fill(connection, table, numbers[0])
        connection.execute("set local session_replication_role = origin")
        yield connection
        connection.rollback()


def fill(connection: psycopg.Connection, table: str, tenant: int) -> None:
    if connection.execute(f"select 1 from {table} where tenant_id = %s", [tenant]).fetchone():
        return
    columns = connection.execute(
        """
        select attname, format_type(atttypid, atttypmod) from pg_attribute
        where attrelid = %s::regclass and attnum > 0 and not attisdropped
            and attnotnull and not atthasdef and attidentity = ''
        """,
        [table],
    ).fetchall()
    values = {name: MADE_UP.get(name, MADE_UP.get(kind.partition("(")[0], "1")) for name, kind in columns} | {
        "tenant_id": str(tenant)
    }
    names, places = ", ".join(values), ", ".join(f"%({name})s" for name in values)
    connection.execute(f"insert into {table} ({names}) values ({places})", values)


def rows_seen(connection: psycopg.Connection, table: str, tenant: int | None) -> int | None:
    """Return how many rows the service's role sees; None where it may not read the table."""
    with suppress(InsufficientPrivilege), connection.transaction():
        connection.execute("set local role kyujang_service")
        connection.execute(
            "select set_config('app.tenant', %s, true), set_config('app.part', 'all', true)", [str(tenant or "")]
        )
        row = connection.execute(f"select count(*) from {table}").fetchone()
        connection.execute("reset role")
        return row[0] if row else None
    return None


def test_no_table_of_tenants_shows_a_row_to_another_or_to_none(filled, numbers, owner_url):
    tables = tables_of_tenants(owner_url)
    assert tables.keys() >= set(TENANT_TABLES) | {"postings", "document_values", "adapter_activations", "job_turns"}
    mine, other = numbers
    seen = {table: [rows_seen(filled, table, tenant) for tenant in (mine, other, None)] for table in tables}
    assert {table for table, rows in seen.items() if rows == [None] * 3} == CLOSED
    assert [
        (table, rows) for table, rows in seen.items() if table not in CLOSED and (not rows[0] or any(rows[1:]))
    ] == []


async def test_a_role_that_could_bypass_is_refused(owner_url):
    database = Database(owner_url)
    with pytest.raises(NotConfigured, match="bypasses row-level security"):
        await database.open()


async def test_an_absent_database_says_what_to_do():
    database = Database("postgresql://nobody:x@127.0.0.1:9/none")
    with pytest.raises(DatabaseUnavailable, match="DATABASE_URL"):
        await database.open(wait_s=0.2)


LIMITS = RequestLimits(per_tenant=2, statement_s=0.2, lock_s=0.1, idle_s=60)
SLEEP = "select pg_sleep(0.5)"


@pytest.fixture(scope="module")
async def bound(settings):
    """As the API opens it."""
    database = Database(settings.service_url, pool_size=5, limits=LIMITS)
    await database.open()
    yield database
    await database.close()


async def least_waits(ask) -> int:
    """Of five tries, since what else this process does now and then is counted too."""
    counts = []
    for _ in range(5):
        with counted_waits() as waits:
            await ask()
        counts.append(waits.count)
    return min(counts)


async def test_what_is_done_at_once_and_what_begins_a_snapshot_share_a_round_trip(services, numbers, monkeypatch):
    monkeypatch.setattr(pool, "TRUSTED_S", 1e9)
    settings = "select current_setting('app.tenant') as tenant, current_setting('app.part') as part"
    database, mine = services.database, {"tenant": str(numbers[0]), "part": "all"}

    async def tenant() -> None:
        assert await database.at_once(numbers[0], ["select 1", settings], {}) == [mine]

    async def operator() -> None:
        assert await database.operator_at_once(["select current_user::text as name"], {}) == [{"name": OPERATOR}]

    async def snapshot() -> None:
        async with database.snapshot(numbers[0]) as snapshot:
            assert await fetch_one(snapshot.connection, settings) == mine

    # With a snapshot's commit, which waits for its own.
    for ask, most in ((tenant, 1), (operator, 1), (snapshot, 2)):
        assert await least_waits(ask) <= most
    async with database.shared() as connection:
        left = await fetch_one(connection, "select current_setting('app.tenant', true) as tenant, current_user as name")
    assert (left["tenant"] or "", left["name"]) == ("", "kyujang_app")


async def test_a_connection_whose_pipeline_was_cut_off_is_not_used_again(services, numbers, monkeypatch):
    begin = psycopg.AsyncPipeline.__aenter__

    async def cut_off(pipeline):
        asyncio.current_task().cancel()
        return await begin(pipeline)

    async def many():
        async with database.transaction(numbers[0]) as connection:
            await connection.cursor().executemany("select %s::integer", [(1,), (2,)])

    database = Database(services.settings.service_url, pool_size=1)
    await database.open()
    for work in (many, partial(database.at_once, numbers[0], ["select 1 as one"], {})):
        with monkeypatch.context() as patched:
            patched.setattr(psycopg.AsyncPipeline, "__aenter__", cut_off)
            # So long psycopg may go on without a moment at which a task can be cancelled.
            patched.setattr(psycopg.waiting, "MAX_BUSY_TIME", 0)
            with pytest.raises(asyncio.CancelledError):
                await asyncio.create_task(work())
        async with database.transaction(numbers[0]) as connection:
            assert connection.pgconn.pipeline_status == PipelineStatus.OFF
    await database.close()


async def test_one_tenant_does_not_hold_all_connections(bound, numbers, monkeypatch):
    monkeypatch.setattr(pool, "WAIT_S", 0.05)
    mine, other = numbers
    async with AsyncExitStack() as held:
        for _ in range(LIMITS.per_tenant):
            await held.enter_async_context(bound.transaction(mine))
        with pytest.raises(DatabaseUnavailable, match="No connection") as refused:
            async with bound.snapshot(mine):
                pass
        assert refused.value.headers["Retry-After"]
        async with bound.snapshot(other), bound.operator(), bound.shared():
            pass
    async with bound.transaction(mine):
        pass


@pytest.mark.parametrize("opened", ["transaction", "snapshot", "operator", "shared"])
async def test_a_request_s_statement_ends_in_time_and_its_connection_works_on(bound, numbers, opened):
    arguments = numbers[:1] if opened in ("transaction", "snapshot") else ()
    with pytest.raises(DatabaseUnavailable, match="longer than a request"):
        async with getattr(bound, opened)(*arguments) as found:
            await getattr(found, "connection", found).execute(SLEEP)
    async with bound.transaction(numbers[0]) as connection:
        assert await fetch_one(connection, "select 1 as one") == {"one": 1}


async def test_a_request_waits_for_a_lock_so_long_and_no_longer(bound, settings, numbers):
    lock = "select from tenants where id = %(id)s for update"
    async with bound.transaction(numbers[0]) as connection:
        await fetch_one(connection, lock, {"id": numbers[0]})
        with pytest.raises(DatabaseUnavailable, match="longer than a request"):
            async with bound.transaction(numbers[0]) as late:
                await fetch_one(late, lock, {"id": numbers[0]})


async def test_limits_are_the_transaction_s_not_the_role_s(bound, services, numbers):
    async with bound.transaction(numbers[0]) as connection:
        await without_time_limits(connection)
        await connection.execute(SLEEP)
    async with services.database.transaction(numbers[0]) as connection:
        shown = [await fetch_one(connection, f"show {name}_timeout") for name in ("statement", "lock")]
    assert [next(iter(each.values())) for each in shown] == ["0", "0"]


async def test_the_deletion_of_a_tenant_is_accepted_at_once_whatever_is_stored_meanwhile(bound, services):
    await create_tenant(bound, "large", "Large")
    number = (await tenant_by_slug(bound, "large")).number
    async with services.database.transaction(number) as storing:
        await storing.execute("select from tenants where id = %s for no key update", [number])
        assert (await tenant_deletions.accept(bound, "large")).status == "queued"
    with pytest.raises(NotFound):
        await tenant_by_slug(bound, "large")


async def test_who_waits_for_a_connection_and_leaves_holds_none(bound, numbers):
    async with AsyncExitStack() as held:
        for _ in range(LIMITS.per_tenant):
            await held.enter_async_context(bound.transaction(numbers[0]))
        async with asyncio.TaskGroup() as group:
            for waiting in [group.create_task(open_and_close(bound, numbers[0])) for _ in range(20)]:
                await asyncio.sleep(0)
                waiting.cancel()
    await asyncio.wait_for(open_and_close(bound, numbers[0]), 5)


async def open_and_close(database: Database, tenant: int) -> None:
    async with database.transaction(tenant):
        pass


async def test_a_connection_that_is_lost_at_the_commit_is_an_outage(services: Services, owner_url: str):
    async def lost() -> None:
        async with services.database.operator() as connection:
            with psycopg.connect(owner_url) as owner:
                owner.execute("select pg_terminate_backend(%s, 5000)", [connection.info.backend_pid])

    with pytest.raises(DatabaseUnavailable):
        await lost()

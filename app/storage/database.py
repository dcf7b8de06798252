"""Pool connections, and open transactions for one tenant or for the operator."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from time import monotonic
from typing import Any
from weakref import WeakKeyDictionary

import psycopg
from pgvector.psycopg import register_vector_async
from psycopg import errors
from psycopg.rows import DictRow, dict_row
from psycopg_pool import AsyncConnectionPool, PoolTimeout

from app.errors import DatabaseUnavailable, NotConfigured, NotFound
from app.storage.pipelined import Connection as Connection
from app.storage.pipelined import left_out_of_pipelines, pipelined, rows_of_last, set_local
from app.storage.prepared import prepared
from app.storage.request_limits import RequestLimits
from app.storage.snapshot import Snapshot
from app.storage.tenancy import WHOLE, TenantNumber, begin_as, part, see, settings_as
from app.turns import Slots

OPERATOR = "kyujang_operator"
TRUSTED_S = 1
WAIT_S = 10
# Kept for what belongs to no tenant: keys are looked up with them, so that no tenant's work keeps another out.
FOR_OPERATOR = 2
# A crash of the database may lose the last moment; one of this process loses nothing that is written.
IS_QUICK = "set local synchronous_commit = off"
# How PostgreSQL calls the foreign key of a table's tenant_id alone.
OF_A_TENANT = "_tenant_id_fkey"
TOO_LONG = (errors.QueryCanceled, errors.LockNotAvailable, errors.IdleInTransactionSessionTimeout)


@dataclass(frozen=True, slots=True)
class PostgresSnapshot(Snapshot):
    connection: Connection


class Database:
    """A pool of connections. With `limits`, which the API sets, tenants take turns at them, and no request holds one
    for long."""

    def __init__(self, url: str, *, pool_size: int = 10, limits: RequestLimits | None = None) -> None:
        self.url = url
        self._limits = limits
        self._time_limits = limits.settings if limits else {}
        # What is done at once finds its rows by their keys, by one plan whatever there is.
        self._at_once = self._time_limits | {"plan_cache_mode": "auto"}
        tenants = max(1, pool_size - FOR_OPERATOR)
        self._slots = Slots(total=tenants, per_tenant=limits.per_tenant if limits else tenants)
        self._used_at: WeakKeyDictionary[Connection, float] = WeakKeyDictionary()
        self._pool: AsyncConnectionPool[Connection] = AsyncConnectionPool(
            url,
            kwargs={"row_factory": dict_row, "autocommit": True},
            min_size=1,
            max_size=pool_size,
            timeout=WAIT_S,
            open=False,
            configure=_configure,
            check=self._check,
            reset=self._returned,
        )

    async def open(self, *, wait_s: float = 30) -> None:
        """Open the pool. Raises NotConfigured if the role can bypass row-level security."""
        await self._pool.open()
        try:
            await self._pool.wait(timeout=wait_s)
        except PoolTimeout:
            await self._pool.close()
            raise DatabaseUnavailable(
                "The database does not answer, or the schema is missing: check DATABASE_URL and run "
                "'python -m app migrate'."
            ) from None
        await self._refuse_privileged_role()

    async def close(self) -> None:
        await self._pool.close()

    @asynccontextmanager
    async def transaction(self, tenant: TenantNumber) -> AsyncIterator[Connection]:
        """Open a transaction that sees the tenant's rows of the caller's part alone; commit when the block ends."""
        async with self._transaction(f"begin; {begin_as(tenant)}", tenant) as connection:
            yield connection

    @asynccontextmanager
    async def snapshot(self, tenant: TenantNumber) -> AsyncIterator[PostgresSnapshot]:
        """Open a read-only transaction(), whose statements all see the same state, whatever is committed meanwhile."""
        begin = "begin isolation level repeatable read, read only"
        settings = settings_as(tenant) | self._time_limits
        async with self._connection(tenant) as connection, pipelined(connection, begin, settings):
            yield PostgresSnapshot(connection)

    @asynccontextmanager
    async def operator(self) -> AsyncIterator[Connection]:
        """Open a transaction for work across tenants: tenants, keys, claims. Sees no document (docs/decisions/0001)."""
        async with self._transaction(f"begin; set local role {OPERATOR}") as connection:
            yield connection

    async def operator_at_once(self, statements: Sequence[str], parameters: Mapping[str, Any]) -> list[DictRow]:
        """Do these in a transaction as operator()'s, in one round trip; return the rows of the last."""
        async with self._connection() as connection:
            return await rows_of_last(connection, self._at_once | {"role": OPERATOR}, statements, parameters)

    async def at_once(
        self, tenant: TenantNumber, statements: Sequence[str], parameters: Mapping[str, Any], *, seen: str | None = None
    ) -> list[DictRow]:
        """Do these in a transaction as transaction()'s, or one that sees what is `seen`, in one round trip; return the
        rows of the last."""
        async with self._connection(tenant) as connection:
            settings = self._at_once | settings_as(tenant, seen)
            return await rows_of_last(connection, settings, statements, parameters)

    async def ready(self) -> None:
        async with self._transaction() as connection:
            await connection.execute("select 1")

    @asynccontextmanager
    async def shared(self) -> AsyncIterator[Connection]:
        """Open a transaction for what belongs to no tenant and is the same for all."""
        async with self._transaction() as connection:
            yield connection

    async def lexical_scheme(self) -> str | None:
        """Return which analysis made the stored terms; None until migrate has finished."""
        async with self._transaction() as connection:
            row = await fetch_one(connection, "select name from lexical_scheme")
        return row["name"] if row else None

    @asynccontextmanager
    async def _transaction(self, begin: str = "begin", tenant: TenantNumber | None = None) -> AsyncIterator[Connection]:
        """Send `begin` in one round trip, so without parameters. The pool commits or rolls back."""
        async with self._connection(tenant) as connection:
            limits = [f"set local {name} = {value}" for name, value in self._time_limits.items()]
            await connection.execute("; ".join([begin, *limits]).encode())
            yield connection

    @asynccontextmanager
    async def _connection(self, tenant: TenantNumber | None = None) -> AsyncIterator[Connection]:
        try:
            # Inside, since the commit may fail as well.
            async with AsyncExitStack() as held:
                if self._limits is not None and tenant is not None:
                    await self._turn(held, tenant)
                connection = await held.enter_async_context(self._pool.connection())
                await held.enter_async_context(left_out_of_pipelines(connection))
                yield connection
        except errors.ForeignKeyViolation as error:
            if (error.diag.constraint_name or "").endswith(OF_A_TENANT):
                raise NotFound("This tenant has been deleted.") from error
            raise
        except TOO_LONG as error:
            raise DatabaseUnavailable("The database takes longer than a request may wait for it.") from error
        except (psycopg.OperationalError, PoolTimeout) as error:
            raise DatabaseUnavailable from error

    async def _turn(self, held: AsyncExitStack, tenant: TenantNumber) -> None:
        try:
            await held.enter_async_context(self._slots.slot(tenant, timeout_s=WAIT_S))
        except TimeoutError as error:
            raise DatabaseUnavailable(f"No connection to the database has come free for {WAIT_S} s.") from error

    async def _check(self, connection: Connection) -> None:
        """Check a connection by a round trip, unless it worked a moment ago."""
        if monotonic() - self._used_at.get(connection, 0) > TRUSTED_S:
            await AsyncConnectionPool.check_connection(connection)

    async def _returned(self, connection: Connection) -> None:
        self._used_at[connection] = monotonic()

    async def _refuse_privileged_role(self) -> None:
        async with self._transaction() as connection:
            row = await fetch_one(
                connection,
                """
                select current_user as name, rolsuper or rolbypassrls
                       or exists (select from pg_class where relname = 'chunks' and relowner = pg_roles.oid)
                       as privileged
                from pg_roles where rolname = current_user
                """,
            )
        if row is None or row["privileged"]:
            await self.close()
            raise NotConfigured(
                f"The service must not connect as {row and row['name']!r}: that role bypasses row-level security. "
                "Leave KYUJANG_SERVICE_DATABASE_URL unset, or name a plain login role there: 'migrate' makes it."
            )


def connection_of(snapshot: Snapshot) -> Connection:
    """Return the connection of a snapshot that Database.snapshot() opened."""
    assert isinstance(snapshot, PostgresSnapshot), type(snapshot)
    return snapshot.connection


async def continue_as(connection: Connection, tenant: TenantNumber) -> None:
    """Let the rest of this transaction, which operator() opened, see this tenant's rows alone."""
    await connection.execute(f"set local role none; {begin_as(tenant, WHOLE)}".encode())


async def see_all(connection: Connection) -> None:  # for the rest of the transaction
    await connection.execute(f"set local app.part = '{WHOLE}'".encode())


@asynccontextmanager
async def seeing_all(connection: Connection) -> AsyncIterator[None]:
    bound = part.get()
    if bound == WHOLE:
        yield
        return
    await see_all(connection)
    yield
    await connection.execute(see(bound).encode())


async def continue_as_operator(connection: Connection) -> None:
    """Let the rest of this transaction, which transaction() opened, be as one of operator()."""
    await connection.execute(f"set local role {OPERATOR}".encode())


async def without_time_limits(connection: Connection) -> None:
    """Let the rest of this transaction take its time: what it does is not a request's own."""
    limits = ("statement_timeout", "lock_timeout", "idle_in_transaction_session_timeout")
    await set_local(connection, dict.fromkeys(limits, "0"))


async def fetch_one(connection: Connection, query: str, parameters: dict[str, Any] | None = None) -> DictRow | None:
    return await (await connection.execute(query.encode(), parameters, prepare=prepared(query))).fetchone()


async def fetch_all(connection: Connection, query: str, parameters: dict[str, Any] | None = None) -> list[DictRow]:
    return await (await connection.execute(query.encode(), parameters, prepare=prepared(query))).fetchall()


async def _configure(connection: Connection) -> None:
    # A generic plan knows no tenant's size: searches went from 0.5 to 100 ms.
    await connection.execute("set plan_cache_mode = force_custom_plan")
    await register_vector_async(connection)

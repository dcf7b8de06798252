"""Create roles, schema and indexes. Runs as the schema's owner; nothing else changes the schema."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from urllib.parse import unquote, urlsplit

import psycopg
from psycopg import sql

from app.embedding.factory import identity_of
from app.errors import DatabaseUnavailable, NotConfigured
from app.language.analyzer import Analyzer
from app.settings import Settings
from app.storage.backup.access import ROLE as BACKUP
from app.storage.backup.access import let_backups_read
from app.storage.backup.set_aside import is_schema_aside
from app.storage.migration_plan import Plan, make_plan
from app.storage.reanalysis import Tell, adopt
from app.storage.revisions import LOCK_TIMEOUT, apply, current_revision, patiently, pending
from app.storage.schema import is_newer, stored_schema
from app.storage.space_tables import create_space, create_vector_index, drop_space, stored_spaces
from app.storage.spaces import Space, other_vectors

ONE_AT_A_TIME = 0x6B797570
NOT_THE_OWNER = (
    "PostgreSQL refuses the owner's password (DATABASE_URL; KYUJANG_OWNER_PASSWORD in .env). It keeps the password of "
    "its first start: put that one back, or change it there with ALTER ROLE (docs/operations/gpu-vm.md)."
)
RUNNING = (
    "The service is running ({} connections), and cannot while this migration changes what it reads: stop the API and "
    "the workers, then run it again. 'python -m app migrate --dry-run' says what it will do and for how long."
)
HALF_RESTORED = (
    "A restore of this database was interrupted. Run 'python -m app restore' again: it begins by putting back what was "
    "there before."
)


def plan(settings: Settings) -> Plan:
    """Return what migrate() will do, and do nothing."""
    with _connected(settings.owner_url) as connection:
        return make_plan(connection, settings)


def migrate(settings: Settings, *, dimension: Callable[[], int], tell: Tell = lambda *_: None) -> Space:
    """Bring the database up to date and return the embedding space that is searched. Safe to run twice at once.

    It may be killed and run again: each step is done or not, and those that are done are passed over. `dimension` opens
    the embedding model, and is called only while there is no document. A newer schema is left as it is where this
    version may run on it. Raises NotConfigured if it may not, if the service has to be stopped before, or if the
    stored vectors were made by another model than the settings name.
    """
    with _connected(settings.owner_url) as connection:
        _check_version(connection)
        _wait_for_others(connection)
        if is_schema_aside(connection):
            raise NotConfigured(HALF_RESTORED)
        if is_newer(stored_schema(connection)) and (active := _active(stored_spaces(connection))) is not None:
            return active
        _refuse_running(make_plan(connection, settings))
        connection.execute(LOCK_TIMEOUT)
        create_roles(connection, settings.service_url)
        for revision in pending(current_revision(connection)):
            tell(f"{revision.number}  {revision.says}", 0, 0)
            apply(settings.owner_url, revision)
        space = patiently("The model", lambda: _adopt_embedding_model(connection, settings, dimension))
        patiently("The index of vectors", lambda: create_vector_index(connection, space.number))
        patiently("What backups need", lambda: let_backups_read(connection))
        analyzer = Analyzer(settings.lexical)
        patiently("The analysis of texts", lambda: asyncio.run(adopt(settings.owner_url, analyzer, tell)))
    return space


def _refuse_running(plan: Plan) -> None:
    """Raises NotConfigured if the service is running and must not."""
    if plan.needs_stop and plan.connections:
        raise NotConfigured(RUNNING.format(plan.connections))


def _connected(owner_url: str) -> psycopg.Connection:
    try:
        return psycopg.connect(owner_url, autocommit=True)
    except psycopg.OperationalError as error:
        if "password authentication failed" in str(error):
            raise NotConfigured(NOT_THE_OWNER) from error
        raise DatabaseUnavailable("The database in DATABASE_URL does not answer: check that it runs.") from error


def _wait_for_others(connection: psycopg.Connection) -> None:
    """Let one migrate run at a time. One that waits inside a statement would keep an index from being built."""
    while connection.execute("select pg_try_advisory_lock(%s)", [ONE_AT_A_TIME]).fetchone() != (True,):
        time.sleep(0.5)


def _check_version(connection: psycopg.Connection) -> None:
    if connection.info.server_version < 160000:
        raise NotConfigured("PostgreSQL 16 or newer is needed.")
    available = connection.execute("select from pg_available_extensions where name = 'vector'").fetchone()
    if available is None:
        raise NotConfigured("This PostgreSQL has no pgvector: install the extension 'vector' (0.8 or newer).")
    connection.execute("create extension if not exists vector")


def create_roles(connection: psycopg.Connection, service_url: str) -> None:
    """Create the roles that the schema's grants name, or give the service's its password."""
    login = urlsplit(service_url)
    name, password = unquote(login.username or ""), unquote(login.password or "")
    for role in ("kyujang_service", "kyujang_operator", BACKUP):
        if not _role_exists(connection, role):
            connection.execute(sql.SQL("create role {} nologin").format(sql.Identifier(role)))
    if not _role_exists(connection, name):
        connection.execute(sql.SQL("create role {} login noinherit").format(sql.Identifier(name)))
    who = sql.Identifier(name)
    if password:
        connection.execute(sql.SQL("alter role {} password {}").format(who, sql.Literal(password)))
    connection.execute(sql.SQL("grant kyujang_service to {} with inherit true").format(who))
    connection.execute(sql.SQL("grant kyujang_operator to {} with inherit false, set true").format(who))
    for role in ("kyujang_operator", BACKUP):
        connection.execute(
            sql.SQL("grant {} to current_user with inherit false, set true").format(sql.Identifier(role))
        )
    connection.execute(f"grant usage on schema public to kyujang_service, kyujang_operator, {BACKUP}")


def _role_exists(connection: psycopg.Connection, name: str) -> bool:
    return connection.execute("select from pg_roles where rolname = %s", [name]).fetchone() is not None


def _active(stored: list[Space]) -> Space | None:
    return next((space for space in stored if space.state == "active"), None)


def _adopt_embedding_model(connection: psycopg.Connection, settings: Settings, dimension: Callable[[], int]) -> Space:
    """Return the space that is searched. After a switch the settings may still name the previous model."""
    model = identity_of(settings)
    stored = stored_spaces(connection)
    active = _active(stored)
    if active and _any_chunk(connection):
        if model != active.model and all(space.model != model or space.state != "retired" for space in stored):
            raise NotConfigured(other_vectors(active, model, settings))
        return active
    size = dimension()
    if active and (active.model, active.dimension) == (model, size):
        return active
    with connection.transaction():
        for space in stored:
            drop_space(connection, space.number)
        return create_space(connection, settings, size, "active")


def _any_chunk(connection: psycopg.Connection) -> bool:
    with connection.transaction():
        connection.execute("set local role kyujang_operator")
        row = connection.execute("select exists (select from tenants where chunk_count > 0)").fetchone()
    return bool(row and row[0])

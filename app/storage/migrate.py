"""Create roles, schema and indexes. Runs as the schema's owner; nothing else changes the schema."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
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
from app.storage.reanalysis import adopt
from app.storage.space_tables import create_space, create_vector_index, drop_space, stored_spaces
from app.storage.spaces import Space, other_vectors

MIGRATIONS = Path(__file__).resolve().parents[2] / "migrations"
ONE_AT_A_TIME = 0x6B797570
# What waits for the lock on a table stops those who read and write it, too.
LOCK_TIMEOUT = "set local lock_timeout = '10s'"
LOCKED = (
    "The schema was not changed: another connection is using a table that has to change. Stop the workers and the API, "
    "or wait until they have less to do, and run 'python -m app migrate' again."
)
NOT_THE_OWNER = (
    "PostgreSQL refuses the owner's password (DATABASE_URL; KYUJANG_OWNER_PASSWORD in .env). It keeps the password of "
    "its first start: put that one back, or change it there with ALTER ROLE (docs/operations/gpu-vm.md)."
)
HALF_RESTORED = (
    "A restore of this database was interrupted. Run 'python -m app restore' again: it begins by putting back what was "
    "there before."
)
NEWER = (
    "This database was migrated by a newer Kyujang: install that version again, or restore a backup of the database "
    "that was made before its 'migrate'."
)


def migrate(settings: Settings, *, dimension: Callable[[], int]) -> Space:
    """Bring the database up to date and return the embedding space that is searched. Safe to run twice at once.

    `dimension` opens the embedding model, and is called only while there is no document. Raises NotConfigured if the
    stored vectors were made by another model than the settings name.
    """
    with _connected(settings.owner_url) as connection:
        _check_version(connection)
        connection.execute("select pg_advisory_lock(%s)", [ONE_AT_A_TIME])
        if is_schema_aside(connection):
            raise NotConfigured(HALF_RESTORED)
        create_roles(connection, settings.service_url)
        upgrade(settings.owner_url)
        space = _adopt_embedding_model(connection, settings, dimension)
        create_vector_index(connection, space.number)
        let_backups_read(connection)
        asyncio.run(adopt(settings.owner_url, Analyzer(settings.lexical)))
    return space


def _connected(owner_url: str) -> psycopg.Connection:
    try:
        return psycopg.connect(owner_url, autocommit=True)
    except psycopg.OperationalError as error:
        if "password authentication failed" in str(error):
            raise NotConfigured(NOT_THE_OWNER) from error
        raise DatabaseUnavailable("The database in DATABASE_URL does not answer: check that it runs.") from error


def _check_version(connection: psycopg.Connection) -> None:
    if connection.info.server_version < 160000:
        raise NotConfigured("PostgreSQL 16 or newer is needed.")
    available = connection.execute("select from pg_available_extensions where name = 'vector'").fetchone()
    if available is None:
        raise NotConfigured("This PostgreSQL has no pgvector: install the extension 'vector' (0.8 or newer).")
    connection.execute("create extension if not exists vector")


def newest_schema() -> str:
    """Return the revision that this version migrates to."""
    return max(path.name.partition("_")[0] for path in (MIGRATIONS / "versions").glob("[0-9]*.py"))


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


def upgrade(owner_url: str, revision: str = "head") -> None:
    """Upgrade the schema alone. Raises NotConfigured for a newer version's, DatabaseUnavailable while it is in use."""
    # As long to import as all else that a command needs.
    from alembic import command
    from alembic.config import Config
    from alembic.util import CommandError
    from sqlalchemy import create_engine
    from sqlalchemy.exc import OperationalError

    engine = create_engine("postgresql+psycopg://", creator=lambda: psycopg.connect(owner_url))
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    try:
        with engine.begin() as connection:
            connection.exec_driver_sql(LOCK_TIMEOUT)
            config.attributes["connection"] = connection
            command.upgrade(config, revision)
    except CommandError as error:
        raise NotConfigured(NEWER) from error
    except OperationalError as error:
        if isinstance(error.orig, psycopg.errors.LockNotAvailable):
            raise DatabaseUnavailable(LOCKED) from error
        raise
    finally:
        engine.dispose()


def _adopt_embedding_model(connection: psycopg.Connection, settings: Settings, dimension: Callable[[], int]) -> Space:
    """Return the space that is searched. After a switch the settings may still name the previous model."""
    model = identity_of(settings)
    stored = stored_spaces(connection)
    active = next((space for space in stored if space.state == "active"), None)
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

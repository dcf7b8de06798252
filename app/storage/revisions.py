"""The schema's revisions: what each says of itself, and how it is applied."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeVar

import psycopg

from app.errors import DatabaseUnavailable, NotConfigured
from app.storage.schema import MIGRATIONS

if TYPE_CHECKING:
    from alembic.config import Config

T = TypeVar("T")

# What waits for the lock on a table stops those who come after it to read and write, too. Shorter than PostgreSQL's
# deadlock_timeout of a second, after which one of two that wait for each other is ended: the revision, which is tried
# again, has given way by then.
LOCK_TIMEOUT = "set lock_timeout = '500ms'"
LOCK_TRIES = 15
PAUSE_S = 2.0
# The one that creates the table.
FIRST_STORED = "0016"
STORE = "insert into schema_revisions (revision, oldest_software) values (%s, %s)"
LOCKED = (
    "{} was not applied: another connection is using a table that has to change. Stop the workers and the "
    "API, or wait until they have less to do, and run 'python -m app migrate' again; it goes on where it was."
)
NEWER = (
    "This database was migrated by a newer Kyujang: install that version again, or restore a backup of the database "
    "that was made before its 'migrate'."
)


@dataclass(frozen=True, slots=True)
class Revision:
    """What a file in migrations/versions says of itself; tests/upgrade/test_revisions.py holds it to that.

    `locks` are the tables that others can only read, or not even read, while it is applied, with PostgreSQL's name of
    the lock; `works_on` those whose rows it reads or writes; `drops` the tables and columns that are gone afterwards.
    """

    number: str
    says: str
    oldest_software: str | None = None
    needs_stop: bool = False
    locks: dict[str, str] = field(default_factory=dict)
    works_on: tuple[str, ...] = ()
    drops: tuple[str, ...] = ()


def pending(stored: str | None, last: str = "head") -> list[Revision]:
    """Return the revisions after the stored one, in order. Raises NotConfigured if this version does not know it."""
    from alembic.script import ScriptDirectory
    from alembic.script.revision import RevisionError

    scripts = ScriptDirectory.from_config(_config())
    try:
        found = [_described(each) for each in scripts.iterate_revisions(last, stored or "base")]
    except RevisionError as error:
        raise NotConfigured(NEWER) from error
    return found[::-1]


def _described(script: Any) -> Revision:
    names = ("oldest_software", "needs_stop", "locks", "works_on", "drops")
    said = {name: getattr(script.module, name) for name in names if hasattr(script.module, name)}
    return Revision(script.revision, script.doc, **said)


def current_revision(owner: psycopg.Connection) -> str | None:
    """Return the revision of the database; None if it is empty."""
    if owner.execute("select to_regclass('public.alembic_version')").fetchone() == (None,):
        return None
    row = owner.execute("select version_num from alembic_version").fetchone()
    return str(row[0]) if row else None


def upgrade(owner_url: str, last: str = "head") -> None:
    """Apply what is pending, up to `last`. Raises NotConfigured for a newer schema, DatabaseUnavailable in use."""
    with psycopg.connect(owner_url) as owner:
        stored = current_revision(owner)
    for each in pending(stored, last):
        apply(owner_url, each)


def apply(owner_url: str, revision: Revision) -> None:
    """Apply one revision, in a transaction of its own. Raises DatabaseUnavailable if a table stays locked."""
    patiently(f"Revision {revision.number}", lambda: _apply(owner_url, revision))


def patiently(what: str, action: Callable[[], T]) -> T:
    """Repeat what waits for locks, which it does not for long, and let others go first in between.

    Raises DatabaseUnavailable if one stays with another connection.
    """
    for _ in range(LOCK_TRIES):
        try:
            return action()
        except psycopg.errors.LockNotAvailable:
            time.sleep(PAUSE_S)
    raise DatabaseUnavailable(LOCKED.format(what))


def _apply(owner_url: str, revision: Revision) -> None:
    from alembic import command
    from sqlalchemy.exc import OperationalError

    with _migration(owner_url) as config:
        try:
            command.upgrade(config, revision.number)
        except OperationalError as error:
            if isinstance(error.orig, psycopg.errors.LockNotAvailable):
                raise error.orig from error
            raise


@contextmanager
def _migration(owner_url: str) -> Iterator[Config]:
    from sqlalchemy import create_engine
    from sqlalchemy.pool import NullPool

    def connect() -> psycopg.Connection:
        connection = psycopg.connect(owner_url, autocommit=True)
        connection.execute(LOCK_TIMEOUT)
        connection.autocommit = False
        return connection

    engine = create_engine("postgresql+psycopg://", creator=connect, poolclass=NullPool)
    config = _config()
    with engine.connect() as connection:
        config.attributes["connection"] = connection
        config.attributes["on_version_apply"] = store_revision
        yield config


def store_revision(*, ctx: Any, step: Any, **_: Any) -> None:
    """Store, in the revision's own transaction, which software may run from now on."""
    revision = _described(step.up_revision)
    if revision.number >= FIRST_STORED:
        ctx.connection.exec_driver_sql(STORE, (revision.number, revision.oldest_software))


def _config() -> Config:
    # As long to import as all else that a command needs.
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    return config

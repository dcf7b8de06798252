"""The embedded PostgreSQL of a command that is run on its own."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from app.settings import Settings
from app.up.home import lock_home
from app.up.owner import naming
from app.up.postgres import EmbeddedPostgres


@contextmanager
def embedded_database(settings: Settings) -> Iterator[Settings]:
    """Start the embedded PostgreSQL, if that is the one, while nothing else uses the data folder."""
    if settings.database_url is not None:
        yield settings
        return
    settings.home.mkdir(parents=True, exist_ok=True)
    with lock_home(settings.home), EmbeddedPostgres(settings.home / "postgres") as postgres:
        yield naming(settings, postgres.owner_url)

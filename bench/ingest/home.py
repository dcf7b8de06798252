"""Where the measured service lives: a database of the embedded PostgreSQL, a tenant, its key, files, results."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import psycopg

from app.cpu import cores
from app.embedding.e5 import E5Encoder
from app.embedding.packaged.folder import packaged_folder
from app.settings import Settings
from app.storage.database import Database
from app.storage.keys import create_key
from app.storage.migrate import migrate
from app.storage.tenants import create_tenant
from app.up.postgres import EmbeddedPostgres
from bench.ingest import corpus
from bench.retrieval.home import create_database

DATABASE = "ingest"
TENANT = "bench"


@dataclass
class Home:
    """`owner_url` is a superuser's: row-level security does not bind it."""

    folder: Path
    server: EmbeddedPostgres
    sources: Sequence[Path]
    _texts: list[corpus.Counted] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.model = packaged_folder(self.folder / "models")
        self.encoder = E5Encoder(self.model, threads=1, runs=cores())
        self.owner_url = urlunsplit(urlsplit(self.server.owner_url)._replace(path=f"/{DATABASE}"))

    @property
    def postmaster(self) -> int:
        assert self.server.child is not None
        assert self.server.child.pid is not None
        return self.server.child.pid

    @property
    def settings(self) -> Settings:
        return Settings(database_url=self.owner_url, home=self.folder, engine="none")

    @property
    def key(self) -> str:
        return (self.folder / "key").read_text()

    @property
    def texts(self) -> list[corpus.Counted]:
        if not self._texts:
            self._texts = corpus.read(self.sources, self.encoder)
        return self._texts

    def documents(self, chunks: int, seed: int) -> list[Path]:
        return corpus.write(self.folder / "documents" / f"{seed}-{chunks}", self.texts, chunks, seed)

    def empty(self) -> None:
        create_database(self.server, DATABASE)
        migrate(self.settings, dimension=lambda: self.encoder.dimension)
        (self.folder / "key").write_text(asyncio.run(_new_tenant(self.settings.service_url)))

    def ready(self) -> None:
        """With whatever an earlier part has left."""
        with psycopg.connect(self.server.owner_url, autocommit=True) as connection:
            known = connection.execute("select from pg_database where datname = %s", [DATABASE]).fetchone()
        if known is None or not (self.folder / "key").exists():
            self.empty()

    def rows(self, query: str, *values: object) -> list[tuple[Any, ...]]:
        with psycopg.connect(self.owner_url, autocommit=True) as connection:
            return connection.execute(query.encode(), values).fetchall()

    def chunks(self) -> int:
        return int(self.rows("select chunk_count from tenants where slug = %s", TENANT)[0][0])


async def _new_tenant(service_url: str) -> str:
    database = Database(service_url)
    await database.open()
    try:
        await create_tenant(database, TENANT, TENANT)
        return (await create_key(database, TENANT, ["query", "ingest"])).secret
    finally:
        await database.close()


@dataclass(frozen=True)
class Results:
    """Kept part by part."""

    file: Path

    def all(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.file.read_text()) if self.file.exists() else {}
        return found

    def keep(self, part: str, figures: dict[str, Any]) -> None:
        self.file.write_text(json.dumps({**self.all(), part: figures}, indent=2))

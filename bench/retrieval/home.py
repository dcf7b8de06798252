"""Where the built corpora are: an embedded PostgreSQL with a database for each, index files, figures of the build."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import numpy as np
import psycopg

from app.embedding.packaged.folder import packaged_folder
from app.settings import Settings
from app.storage.database import Database
from app.up.postgres import EmbeddedPostgres
from bench.retrieval.corpus import Corpus, Plan

TENANT = "tenant-{}"


@dataclass(frozen=True)
class Place:
    """Of one corpus. `owner_url` is a superuser's: row-level security does not bind it."""

    plan: Plan
    folder: Path
    owner_url: str
    models: Path

    @property
    def settings(self) -> Settings:
        return Settings(database_url=self.owner_url, home=self.folder, engine="none")

    @asynccontextmanager
    async def database(self) -> AsyncIterator[Database]:
        """Open it as the service's role, which row-level security binds."""
        database = Database(self.settings.service_url)
        await database.open()
        try:
            yield database
        finally:
            await database.close()

    @property
    def raw_index(self) -> Path:
        return self.folder / "raw.faiss"

    def save(self, corpus: Corpus, built: dict[str, Any]) -> None:
        """The figures last: they tell that the corpus is complete."""
        np.save(self.folder / "vectors.npy", corpus.vectors)
        np.savez(self.folder / "rows.npz", chunks=corpus.chunks, share=corpus.share)
        (self.folder / "built.json").write_text(json.dumps({"plan": asdict(self.plan), **built}, indent=2))

    def corpus(self) -> Corpus:
        rows = np.load(self.folder / "rows.npz")
        vectors = np.load(self.folder / "vectors.npy", mmap_mode="r")
        return Corpus(vectors, rows["chunks"], rows["share"], self.plan.sizes())

    def built(self) -> dict[str, Any] | None:
        file = self.folder / "built.json"
        if not file.exists():
            return None
        built: dict[str, Any] = json.loads(file.read_text())
        if built["plan"] != asdict(self.plan):
            raise SystemExit(f"{self.folder} was built as {built['plan']}: remove it, or ask for the same.")
        return built


@contextmanager
def opened(folder: Path) -> Iterator[EmbeddedPostgres]:
    """With the settings that users get."""
    folder.mkdir(parents=True, exist_ok=True)
    with EmbeddedPostgres(folder / "postgres") as server:
        yield server


def place(folder: Path, server: EmbeddedPostgres, plan: Plan) -> Place:
    own, models = folder / plan.name, folder / "models"
    own.mkdir(exist_ok=True)
    packaged_folder(models)
    if not (own / "models").exists():
        (own / "models").symlink_to(models.resolve())
    url = urlunsplit(urlsplit(server.owner_url)._replace(path=f"/{plan.name}"))
    return Place(plan, own, url, models)


def create_database(server: EmbeddedPostgres, name: str) -> None:
    """Empty, whatever a broken-off build has left."""
    with psycopg.connect(server.owner_url, autocommit=True) as connection:
        connection.execute(f"drop database if exists {name} with (force)".encode())
        connection.execute(f"create database {name}".encode())

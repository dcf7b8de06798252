"""The layout of a tenant's map: a place for each of its chunks, near those that are alike."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from app.storage.changelog import CorpusState
from app.storage.database import Connection, Database, fetch_one
from app.storage.map_axes import changed_much
from app.storage.tenancy import TenantNumber


@dataclass(frozen=True, slots=True)
class Layout:
    """That of the tenant, when it had so many chunks; new ones are placed among the others until much has changed."""

    relation: ClassVar[str] = """
        select placed.* from map_layouts l, unnest(l.chunk_ids, l.x, l.y) as placed (chunk_id, x, y)
        where l.tenant_id = %(tenant)s
    """
    version: int
    chunks: int

    def is_late(self, state: CorpusState) -> bool:
        return self.version != state.version

    def is_outdated(self, state: CorpusState) -> bool:
        """Say whether it has to be made anew."""
        return changed_much(self.chunks, state)

    @property
    def key(self) -> dict[str, Any]:
        return {}


@dataclass(frozen=True, slots=True)
class Places:
    """A row of `at` for each of `chunks`, which are in order."""

    chunks: NDArray[np.int64]
    at: NDArray[np.float32]


async def find(connection: Connection, tenant: TenantNumber, space: int) -> Layout | None:
    query = "select version, chunks from map_layouts where tenant_id = %(tenant)s and space = %(space)s"
    row = await fetch_one(connection, query, {"tenant": tenant, "space": space})
    return Layout(**row) if row else None


async def read_places(connection: Connection, tenant: TenantNumber) -> Places:
    row = await fetch_one(
        connection, "select chunk_ids, x, y from map_layouts where tenant_id = %(tenant)s", {"tenant": tenant}
    )
    assert row is not None
    return Places(np.array(row["chunk_ids"], np.int64), np.array([row["x"], row["y"]], np.float32).T)


async def store(database: Database, tenant: TenantNumber, space: int, layout: Layout, places: Places) -> None:
    x, y = places.at.T.tolist() if len(places.chunks) else ([], [])
    key = {
        "tenant": tenant, "space": space, "version": layout.version, "chunks": layout.chunks,
        "ids": places.chunks.tolist(), "x": x, "y": y,
    }  # fmt: skip
    async with database.transaction(tenant) as connection:
        await connection.execute(
            """
            insert into map_layouts (tenant_id, space, version, chunks, chunk_ids, x, y)
            values (%(tenant)s, %(space)s, %(version)s, %(chunks)s, %(ids)s, %(x)s, %(y)s)
            on conflict (tenant_id) do update set space = excluded.space, version = excluded.version,
                chunks = excluded.chunks, chunk_ids = excluded.chunk_ids, x = excluded.x, y = excluded.y,
                made_at = now()
            """,
            key,
        )

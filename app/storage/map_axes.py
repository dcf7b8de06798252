"""The axes of a tenant's map: two directions through the vectors of its chunks are kept, and each chunk's place is
worked out of its own vector when the map is looked at."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pgvector import HalfVector

from app.storage import spaces
from app.storage.changelog import CorpusState
from app.storage.database import Connection, Database, fetch_one
from app.storage.map_chunks import OF_SHARE
from app.storage.tenancy import TenantNumber

# Made again when so much has changed since.
STALE_SHARE = 0.1
PLACE = "-(v.embedding <#> %({axis})s) - %({origin})s"
ACROSS, UPWARDS = PLACE.format(axis="across", origin="left"), PLACE.format(axis="upwards", origin="below")


@dataclass(frozen=True, slots=True)
class Axes:
    """`origin` are the means of the vectors on both axes."""

    space: int
    version: int
    chunks: int
    across: NDArray[np.float32]
    upwards: NDArray[np.float32]
    origin: tuple[float, float]

    def is_late(self, state: CorpusState) -> bool:
        return self.version != state.version and changed_much(self.chunks, state)

    def place(self, vector: NDArray[np.float32]) -> tuple[float, float]:
        left, below = self.origin
        return float(vector @ self.across) - left, float(vector @ self.upwards) - below

    @property
    def relation(self) -> str:
        return f"""
            select v.chunk_id, {ACROSS} as x, {UPWARDS} as y from {spaces.table(self.space)} v
            where v.tenant_id = %(tenant)s and {OF_SHARE}
        """  # noqa: S608 - ours

    @property
    def key(self) -> dict[str, Any]:
        left, below = self.origin
        return {
            "across": HalfVector(self.across), "upwards": HalfVector(self.upwards), "left": left, "below": below
        }  # fmt: skip


def changed_much(chunks: int, state: CorpusState) -> bool:
    return abs(state.chunks - chunks) / max(1, chunks) > STALE_SHARE


async def find(connection: Connection, tenant: TenantNumber, space: int) -> Axes | None:
    query = "select * from map_axes where tenant_id = %(tenant)s and space = %(space)s"
    row = await fetch_one(connection, query, {"tenant": tenant, "space": space})
    if row is None:
        return None
    across, upwards = (np.array(row[name], np.float32) for name in ("across", "upwards"))
    left, below = row["origin"]
    return Axes(row["space"], row["version"], row["chunks"], across, upwards, (left, below))


async def store(database: Database, tenant: TenantNumber, axes: Axes) -> None:
    key = {
        "tenant": tenant, "space": axes.space, "version": axes.version, "chunks": axes.chunks,
        "across": axes.across.tolist(), "upwards": axes.upwards.tolist(), "origin": list(axes.origin),
    }  # fmt: skip
    async with database.transaction(tenant) as connection:
        await connection.execute(
            """
            insert into map_axes (tenant_id, space, version, chunks, across, upwards, origin)
            values (%(tenant)s, %(space)s, %(version)s, %(chunks)s, %(across)s, %(upwards)s, %(origin)s)
            on conflict (tenant_id) do update set space = excluded.space, version = excluded.version,
                chunks = excluded.chunks, across = excluded.across, upwards = excluded.upwards,
                origin = excluded.origin, made_at = now()
            """,
            key,
        )

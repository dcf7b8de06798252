"""The map of a tenant's chunks: two axes through their vectors are kept, and each chunk's place is worked out of its
own vector when the map is looked at. So it follows what a caller may see, and holds nothing that is gone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pgvector import HalfVector

from app.storage import changelog, spaces
from app.storage.database import Connection, Database, connection_of, fetch_all, fetch_one
from app.storage.documents import chunk_number, public_chunk_id
from app.storage.filter_sql import compile_filter
from app.storage.filters import Filter
from app.storage.job_creation import insert_job, new_id
from app.storage.jobs import Task
from app.storage.page import within_bytes
from app.storage.snapshot import Snapshot
from app.storage.tenancy import TenantNumber

MAX_POINTS = 50_000
SAMPLE_CHUNKS, SAMPLE_BYTES = 20_000, 64 << 20
# Axes are made again when so much has changed since, and at most once in this time.
STALE_SHARE, AGAIN_S = 0.1, 60
SHARES = 1024
SHOWN_CHARACTERS = 100
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
    made_at: datetime | None = None

    def place(self, vector: NDArray[np.float32]) -> tuple[float, float]:
        left, below = self.origin
        return float(vector @ self.across) - left, float(vector @ self.upwards) - below

    @property
    def key(self) -> dict[str, Any]:
        left, below = self.origin
        return {
            "across": HalfVector(self.across), "upwards": HalfVector(self.upwards), "left": left, "below": below
        }  # fmt: skip


@dataclass(frozen=True, slots=True)
class ShelfMap:
    """`points` and `documents` are JSON: they are long, and the database writes them."""

    chunks: int
    points: str
    documents: str
    shown: int


async def read_axes(database: Database, tenant: TenantNumber, space: int) -> tuple[Axes | None, int]:
    """Return those of the space and how many chunks there are, after having new ones made if they are out of date."""
    async with database.transaction(tenant) as connection:
        row = await fetch_one(connection, "select * from map_axes where tenant_id = %(tenant)s", {"tenant": tenant})
        state = await changelog.corpus_state(connection, tenant)
        axes = _axes(row) if row is not None and row["space"] == space else None
        changed = state.chunks if axes is None else abs(state.chunks - axes.chunks) / max(1, axes.chunks)
        late = axes is None or (axes.version != state.version and changed > STALE_SHARE)
        if late and state.chunks > 0:
            await _have_made(connection, tenant)
    return axes, state.chunks


async def _have_made(connection: Connection, tenant: TenantNumber) -> None:
    """Queue the work, unless it waits, is done, or has just been."""
    # Two requests at once must not each queue it. The third kind of the two-number locks: see job_creation.py.
    await connection.execute("select pg_advisory_xact_lock(2, hashint8(%s))", [tenant])
    waiting = await fetch_one(
        connection,
        """
        select from job_items where tenant_id = %(tenant)s and kind = 'map'
          and (finished_at is null or finished_at > now() - make_interval(secs => %(again)s)) limit 1
        """,
        {"tenant": tenant, "again": AGAIN_S},
    )
    if waiting is None:
        await insert_job(connection, tenant, new_id(), Task("map", ""))


async def sample(snapshot: Snapshot, tenant: TenantNumber, space: int) -> tuple[NDArray[np.float32], int, int]:
    """Return vectors of the tenant, the version of its chunks, and their number: the same ones of the same chunks."""
    connection = connection_of(snapshot)
    state = await changelog.corpus_state(connection, tenant)
    row = await fetch_one(connection, "select dimension from embedding_spaces where number = %(n)s", {"n": space})
    dimension = row["dimension"] if row else 0
    most = min(SAMPLE_CHUNKS, SAMPLE_BYTES // (4 * max(1, dimension)))
    query = f"""
        select string_agg(halfvec_send(embedding), '' order by chunk_id) as embeddings, count(*) as found from (
            select chunk_id, embedding from {spaces.table(space)}
            where tenant_id = %(tenant)s and {_of_share("chunk_id")} order by chunk_id limit %(most)s
        ) sampled
    """  # noqa: S608 - ours
    cursor = connection.cursor(binary=True)
    await cursor.execute(query.encode(), {"tenant": tenant, "most": most, "share": _share(most, state.chunks)})
    found = await cursor.fetchone()
    if found is None or not found["found"]:
        return np.empty((0, dimension), np.float32), state.version, state.chunks
    # pgvector's wire form: dimension and a reserved field of two bytes each, then big-endian halves.
    wire = np.frombuffer(found["embeddings"], ">f2").reshape(found["found"], -1)
    return wire[:, 2:].astype(np.float32), state.version, state.chunks


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


async def draw(
    snapshot: Snapshot, tenant: TenantNumber, axes: Axes, where: Filter | None, metadata: str | None
) -> ShelfMap:
    """Return where the chunks lie, the same share of them each time if they are too many, and their documents."""
    connection = connection_of(snapshot)
    chunks = (await changelog.corpus_state(connection, tenant)).chunks
    condition = compile_filter(where) if where else None
    key = {
        "tenant": tenant, "most": MAX_POINTS, "share": _share(MAX_POINTS, chunks), "metadata": metadata,
        **axes.key, **(condition.parameters if condition else {}),
    }  # fmt: skip
    matching = condition.sql if condition else "true"
    points = await fetch_one(connection, _points(axes.space, matching), key)
    documents = await fetch_one(connection, _documents(matching), key)
    assert points is not None
    assert documents is not None
    return ShelfMap(chunks, points["points"], documents["documents"], points["shown"])


def _points(space: int, matching: str) -> str:
    return f"""
        select json_build_object(
            'chunk', coalesce(json_agg(id), '[]'), 'document', coalesce(json_agg(number), '[]'),
            'x', coalesce(json_agg(x), '[]'), 'y', coalesce(json_agg(y), '[]'),
            'start', coalesce(json_agg(start), '[]'), 'end', coalesce(json_agg(stop), '[]'))::text as points,
            count(*) as shown
        from (
            select 'chk_' || lpad(to_hex(c.id), 16, '0') as id, d.number, c.start, c.stop,
                   round(({ACROSS})::numeric, 4) as x, round(({UPWARDS})::numeric, 4) as y
            from {spaces.table(space)} v
            join chunks c on c.tenant_id = v.tenant_id and c.id = v.chunk_id
            join documents d on d.tenant_id = v.tenant_id and d.id = v.document_id
            where v.tenant_id = %(tenant)s and {_of_share("v.chunk_id")} and {matching}
            order by v.chunk_id limit %(most)s
        ) point
    """  # noqa: S608 - a condition holds its values as parameters


def _documents(matching: str) -> str:
    listed = within_bytes(
        f"""
        select d.number, d.id, left(coalesce(d.new_title, d.title, d.source), {SHOWN_CHARACTERS}) as title,
               coalesce(d.collection, 'default') as collection,
               left(d.metadata ->> %(metadata)s::text, {SHOWN_CHARACTERS}) as value
        from documents d where d.tenant_id = %(tenant)s and d.chunks > 0 and {matching}
        order by d.number limit %(most)s
        """,  # noqa: S608 - a condition holds its values as parameters
        size="octet_length(id) + 500",
        order="number",
    )
    return f"""
        select coalesce(json_agg(json_build_object('number', number, 'id', id, 'title', title, 'collection', collection,
            'value', value) order by number), '[]')::text as documents
        from ({listed}) listed
    """  # noqa: S608


async def places(
    snapshot: Snapshot, tenant: TenantNumber, axes: Axes, chunk_ids: Sequence[str]
) -> dict[str, tuple[float, float]]:
    """Return where these chunks lie."""
    rows = await fetch_all(
        connection_of(snapshot),
        f"""
        select v.chunk_id, {ACROSS} as x, {UPWARDS} as y from {spaces.table(axes.space)} v
        where v.tenant_id = %(tenant)s and v.chunk_id = any(%(ids)s)
        """,  # noqa: S608 - ours
        {"tenant": tenant, "ids": [chunk_number(each) for each in chunk_ids], **axes.key},
    )
    return {public_chunk_id(row["chunk_id"]): (row["x"], row["y"]) for row in rows}


def _share(most: int, chunks: int) -> int:
    return SHARES if chunks <= most else max(1, SHARES * most // chunks)


def _of_share(column: str) -> str:
    return f"hashint8({column}) & {SHARES - 1} < %(share)s"


def _axes(row: dict[str, Any]) -> Axes:
    across, upwards = (np.array(row[name], np.float32) for name in ("across", "upwards"))
    left, below = row["origin"]
    return Axes(row["space"], row["version"], row["chunks"], across, upwards, (left, below), row["made_at"])

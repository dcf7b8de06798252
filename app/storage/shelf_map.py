"""The map of a tenant's chunks: where each lies in two dimensions, in what a worker has made of their vectors.

Of a chunk the map is told when it is looked at, so it follows what a caller may see, and shows nothing that is gone.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol

from app.errors import Conflict
from app.storage import changelog, map_axes, map_layouts
from app.storage.changelog import CorpusState
from app.storage.database import Connection, Database, connection_of, fetch_all, fetch_one, seeing_all
from app.storage.documents import chunk_number, public_chunk_id
from app.storage.filter_sql import compile_filter
from app.storage.filters import Filter
from app.storage.job_creation import insert_job, new_id
from app.storage.jobs import Task, TaskKind
from app.storage.map_chunks import MAX_POINTS, SHARES, share
from app.storage.page import within_bytes
from app.storage.snapshot import Snapshot
from app.storage.tenancy import WHOLE, TenantNumber, part

Projection = Literal["pca", "neighbours"]
# Made again at most once in this time.
AGAIN_S = 60
SHOWN_CHARACTERS = 100


class Placing(Protocol):
    """`relation` is SQL for chunk_id, x and y of a tenant's chunks, those of a `share` if they are many; its parameters
    are `key`, `tenant` and `share`."""

    @property
    def relation(self) -> str: ...

    @property
    def key(self) -> dict[str, Any]: ...


@dataclass(frozen=True, slots=True)
class ShelfMap:
    """`points` and `documents` are JSON: they are long, and the database writes them."""

    chunks: int
    points: str
    documents: str
    shown: int


async def read_placing(
    database: Database, tenant: TenantNumber, space: int, projection: Projection
) -> tuple[Placing | None, int]:
    """Return what was made of the space, after having it made again if it is out of date, and how many chunks the
    caller sees. Raises Conflict where it could not be made."""
    async with database.transaction(tenant) as connection:
        state = await changelog.corpus_state(connection, tenant)
        found: map_axes.Axes | map_layouts.Layout | None
        if projection == "pca":
            found = await map_axes.find(connection, tenant, space)
            kind: TaskKind = "map"
        else:
            found, kind = await map_layouts.find(connection, tenant, space), "neighbours"
        if (found is None or found.is_late(state)) and state.chunks > 0:
            await _have_made(connection, tenant, kind, instead_of=found)
        return found, await _seen(connection, tenant, state)


async def _have_made(connection: Connection, tenant: TenantNumber, kind: TaskKind, *, instead_of: object) -> None:
    """Queue the work, unless it waits, is done, or has just been."""
    # Two requests at once must not each queue it. The third kind of the two-number locks: see job_creation.py.
    await connection.execute("select pg_advisory_xact_lock(2, hashint8(%s))", [tenant])
    async with seeing_all(connection):
        last = await fetch_one(
            connection,
            """
            select error_detail from job_items where tenant_id = %(tenant)s and kind = %(kind)s
              and (finished_at is null or finished_at > now() - make_interval(secs => %(again)s))
            order by finished_at desc nulls first limit 1
            """,
            {"tenant": tenant, "kind": kind, "again": AGAIN_S},
        )
        if last is None:
            await insert_job(connection, tenant, new_id(), Task(kind, ""))
        elif last["error_detail"] is not None and instead_of is None:
            raise Conflict(last["error_detail"])


async def _seen(connection: Connection, tenant: TenantNumber, state: CorpusState) -> int:
    """Return how many chunks the caller sees: all, or those of its part."""
    if part.get() == WHOLE:
        return state.chunks
    query = "select coalesce(sum(chunks), 0)::bigint as chunks from documents where tenant_id = %(tenant)s"
    row = await fetch_one(connection, query, {"tenant": tenant})
    return row["chunks"] if row else 0


async def draw(
    snapshot: Snapshot, tenant: TenantNumber, placing: Placing, where: Filter | None, metadata: str | None
) -> ShelfMap:
    """Return where the chunks lie, the same share of them each time if they are too many, and their documents."""
    connection = connection_of(snapshot)
    chunks = await _seen(connection, tenant, await changelog.corpus_state(connection, tenant))
    condition = compile_filter(where) if where else None
    key = {
        "tenant": tenant, "most": MAX_POINTS, "share": share(MAX_POINTS, chunks), "metadata": metadata,
        **placing.key, **(condition.parameters if condition else {}),
    }  # fmt: skip
    matching = condition.sql if condition else "true"
    points = await fetch_one(connection, _points(placing.relation, matching), key)
    documents = await fetch_one(connection, _documents(matching), key)
    assert points is not None
    assert documents is not None
    return ShelfMap(chunks, points["points"], documents["documents"], points["shown"])


def _points(relation: str, matching: str) -> str:
    return f"""
        select json_build_object(
            'chunk', coalesce(json_agg(id), '[]'), 'document', coalesce(json_agg(number), '[]'),
            'x', coalesce(json_agg(x), '[]'), 'y', coalesce(json_agg(y), '[]'),
            'start', coalesce(json_agg(start), '[]'), 'end', coalesce(json_agg(stop), '[]'))::text as points,
            count(*) as shown
        from (
            select 'chk_' || lpad(to_hex(c.id), 16, '0') as id, d.number, c.start, c.stop,
                   round(placed.x::numeric, 4) as x, round(placed.y::numeric, 4) as y
            from ({relation}) placed
            join chunks c on c.tenant_id = %(tenant)s and c.id = placed.chunk_id
            join documents d on d.tenant_id = c.tenant_id and d.id = c.document_id
            where {matching}
            order by c.id limit %(most)s
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
    snapshot: Snapshot, tenant: TenantNumber, placing: Placing, chunk_ids: Sequence[str]
) -> dict[str, tuple[float, float]]:
    """Return where those of these chunks lie that have a place."""
    rows = await fetch_all(
        connection_of(snapshot),
        f"select chunk_id, x, y from ({placing.relation}) placed where chunk_id = any(%(ids)s)",  # noqa: S608 - ours
        {"tenant": tenant, "ids": [chunk_number(each) for each in chunk_ids], "share": SHARES, **placing.key},
    )
    return {public_chunk_id(row["chunk_id"]): (row["x"], row["y"]) for row in rows}

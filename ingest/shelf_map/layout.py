"""Lay out a tenant's map so that chunks which are alike lie near each other (t-SNE)."""

from __future__ import annotations

import importlib.util
import logging
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from app.errors import MissingExtra
from app.sandbox.subprocesses import ChildProcess, open_child
from app.services import Services
from app.storage import changelog, map_layouts
from app.storage.changelog import CorpusState
from app.storage.database import connection_of
from app.storage.map_chunks import list_chunks, sample_size, vectors_of
from app.storage.map_layouts import Layout, Places
from app.storage.spaces import active_number
from app.storage.tenancy import TenantNumber
from ingest.jobs import queue
from ingest.jobs.queue import ClaimedTask, TaskFailed

log = logging.getLogger("kyujang.worker")

BATCH_CHUNKS = 1000
TIMEOUT_S = 1800


class LayoutDied(Exception):
    """The child that lays out has ended before it was done; it may be run again."""


@dataclass(frozen=True)
class Before:
    """What there is to begin with. `shown` are the numbers of the chunks that get a place."""

    space: int
    state: CorpusState
    shown: NDArray[np.int64]
    most: int
    layout: Layout
    kept: Places


async def lay_out(services: Services, task: ClaimedTask) -> None:
    """Store a place for each chunk: all anew where much has changed, else of those alone that have none."""
    require_installed()
    before = await _read(services, task.tenant)
    if len(before.shown):
        places = await _placed(services, task.tenant, before)
        await map_layouts.store(services.database, task.tenant, before.space, before.layout, places)
    await queue.finish(services.database, task)


def require_installed() -> None:
    if importlib.util.find_spec("sklearn") is None:
        raise TaskFailed("not_installed", MissingExtra("The worker, to lay out a map,", "map").detail)


async def _read(services: Services, tenant: TenantNumber) -> Before:
    async with services.database.snapshot(tenant) as snapshot:
        connection = connection_of(snapshot)
        space = await active_number(connection)
        state = await changelog.corpus_state(connection, tenant)
        shown = await list_chunks(snapshot, tenant, space, chunks=state.chunks)
        most = await sample_size(connection, space)
        found = await map_layouts.find(connection, tenant, space)
        if found is None or found.is_outdated(state):
            nothing = Places(np.empty(0, np.int64), np.empty((0, 2), np.float32))
            return Before(space, state, shown, most, Layout(state.version, state.chunks), nothing)
        kept = await map_layouts.read_places(connection, tenant)
    still = np.isin(kept.chunks, shown)
    layout = Layout(state.version, found.chunks)
    return Before(space, state, shown, most, layout, Places(kept.chunks[still], kept.at[still]))


async def _placed(services: Services, tenant: TenantNumber, before: Before) -> Places:
    """Return the places of all that is shown, in the order of their numbers."""
    new = np.setdiff1d(before.shown, before.kept.chunks)
    if not len(new):
        return before.kept
    known = before.kept
    candidates = known.chunks if len(known.chunks) else new
    # The same ones of the same chunks.
    chosen = np.random.default_rng(0).permutation(len(candidates))[: before.most]
    first, vectors = await _vectors(services, tenant, before.space, candidates[np.sort(chosen)])
    if not len(first):
        return known
    async with open_child("ingest.shelf_map.child", timeout_s=TIMEOUT_S) as child:
        at = known.at[np.searchsorted(known.chunks, first)] if len(known.chunks) else None
        made = await _ask(child, {"vectors": vectors, "places": at}, len(first))
        found = [known] if len(known.chunks) else [Places(first, made)]
        left = np.setdiff1d(new, found[0].chunks)
        for start in range(0, len(left), BATCH_CHUNKS):
            batch, vectors = await _vectors(services, tenant, before.space, left[start : start + BATCH_CHUNKS])
            if len(batch):
                found.append(Places(batch, await _ask(child, {"vectors": vectors}, len(batch))))
    chunks = np.concatenate([each.chunks for each in found])
    order = np.argsort(chunks)
    return Places(chunks[order], np.concatenate([each.at for each in found])[order])


async def _vectors(
    services: Services, tenant: TenantNumber, space: int, chunks: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    async with services.database.snapshot(tenant) as snapshot:
        return await vectors_of(snapshot, tenant, space, chunks.tolist())


async def _ask(child: ChildProcess, request: dict[str, Any], count: int) -> NDArray[np.float32]:
    """Return so many places. Raises LayoutDied."""
    await child.send(request)
    if await child.message() is None:
        log.error("laying out failed", extra=await child.exit_report())
        raise LayoutDied(f"the layout ended with {await child.wait()}")
    places = b"".join([part async for part in child.read(8 * count)])
    return np.frombuffer(places, np.float32).reshape(count, 2)

"""Make the two axes of a tenant's map: the directions in which the vectors of its chunks differ most (PCA)."""

from __future__ import annotations

import asyncio

from app.services import Services
from app.storage import changelog, map_axes
from app.storage.database import connection_of
from app.storage.map_axes import Axes
from app.storage.map_chunks import list_chunks, sample_size, vectors_of
from app.storage.spaces import active_number
from ingest.jobs import queue
from ingest.jobs.queue import ClaimedTask
from ingest.shelf_map.principal import principal_axes


async def make_axes(services: Services, task: ClaimedTask) -> None:
    """Store them in the place of earlier ones."""
    async with services.database.snapshot(task.tenant) as snapshot:
        connection = connection_of(snapshot)
        space = await active_number(connection)
        state = await changelog.corpus_state(connection, task.tenant)
        most = await sample_size(connection, space)
        chunks = await list_chunks(snapshot, task.tenant, space, chunks=state.chunks, most=most)
        _, vectors = await vectors_of(snapshot, task.tenant, space, chunks.tolist())
    if len(vectors):
        across, upwards, origin = await asyncio.to_thread(principal_axes, vectors)
        axes = Axes(space, state.version, state.chunks, across, upwards, origin)
        await map_axes.store(services.database, task.tenant, axes)
    await queue.finish(services.database, task)

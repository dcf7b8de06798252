"""How much waits in the queue, and how long."""

from __future__ import annotations

from app.storage.database import Database, fetch_all
from app.work_metrics import Queued

# The columns that the operator's role may read; an item's `not_before` is when it was accepted, or may be tried again.
DEPTH = """
    select i.kind, t.slug as tenant,
        count(*) filter (where i.status = 'queued' and i.not_before <= now()) as waiting,
        count(*) filter (where i.status = 'queued' and i.not_before > now()) as delayed,
        count(*) filter (where i.status = 'running') as running,
        extract(epoch from now() - min(i.not_before) filter (where i.status = 'queued' and i.not_before <= now()))
            ::double precision as oldest_s
    from job_items i join tenants t on t.id = i.tenant_id
    where i.status in ('queued', 'running') group by i.kind, t.slug
"""


async def queue_depth(database: Database) -> list[Queued]:
    async with database.operator() as connection:
        return [Queued(**row) for row in await fetch_all(connection, DEPTH)]

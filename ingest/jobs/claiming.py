"""How items are claimed, in SQL."""

from __future__ import annotations

from app.storage.tenancy import is_kept

# A document up to this size can have the lane that larger ones leave free. Migration 0011 names it, too.
SMALL_BYTES = 256 << 10

# Of an item `i`: it waits, or its worker has died, and no earlier upload of its document is still to come.
CLAIMABLE = """
    ((i.status = 'queued' and i.not_before <= now()) or (i.status = 'running' and i.lease_until < now()))
    and not exists (
        select from job_items earlier
        where earlier.tenant_id = i.tenant_id and earlier.document_id = i.document_id
          and earlier.seq < i.seq and earlier.status in ('queued', 'running'))
"""
HELD = "tenant_id = %(tenant)s and status = 'running' and worker = %(worker)s"
HELD_ITEM = f"{HELD} and job_id = %(job)s and n = %(n)s and attempt = %(attempt)s"
LEASED = "lease_until = now() + make_interval(secs => %(lease)s)"
REQUEUED = """
    status = 'queued', lease_until = null, not_before = now() + make_interval(secs => %(delay)s),
    attempt = attempt - (not %(count_attempt)s)::integer
"""
CLAIM_NEXT = f"""
    update job_items i set status = 'running', worker = %(worker)s, {LEASED},
        attempt = i.attempt + (i.status = 'queued' or %(count_death)s)::integer
    from next where (i.tenant_id, i.job_id, i.n) = (next.tenant_id, next.job_id, next.n)
"""  # noqa: S608 - constants

# From tenant to tenant along the index, however many items each has; the first, by turn, with something to claim.
CLAIM = f"""
with recursive waiting (tenant_id) as (
    select min(tenant_id) from job_items where kind = %(kind)s and status in ('queued', 'running')
    union all
    select (select min(i.tenant_id) from job_items i
            where i.kind = %(kind)s and i.status in ('queued', 'running') and i.tenant_id > w.tenant_id)
    from waiting w where w.tenant_id is not null
), next as (
    select i.tenant_id, i.job_id, i.n, i.taken_over
    from (select w.tenant_id from waiting w left join job_turns t on t.tenant_id = w.tenant_id and t.kind = %(kind)s
          where w.tenant_id <> all(%(without)s::integer[]) and {is_kept("w.tenant_id")}
          order by t.at nulls first, w.tenant_id) w
    cross join lateral (
        select i.tenant_id, i.job_id, i.n, i.status = 'running' as taken_over from job_items i
        where i.kind = %(kind)s and i.tenant_id = w.tenant_id and {CLAIMABLE}
          and (not %(small)s or i.size <= {SMALL_BYTES})
        order by i.seq limit 1 for update skip locked
    ) i limit 1
), turn as (
    insert into job_turns (tenant_id, kind, at) select tenant_id, %(kind)s, clock_timestamp() from next
    on conflict (tenant_id, kind) do update set at = excluded.at
)
{CLAIM_NEXT} returning i.tenant_id, i.job_id, i.n, i.attempt, next.taken_over
"""  # noqa: S608 - constants

CLAIMED_ITEM = """
select i.*, j.key_id, j.traceparent, %(taken_over)s as taken_over
from job_items i join jobs j on j.tenant_id = i.tenant_id and j.id = i.job_id
where i.tenant_id = %(tenant_id)s and i.job_id = %(job_id)s and i.n = %(n)s
"""

"""How many requests a tenant and each of its keys may send in any minute, counted for all API processes together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from time import monotonic

from psycopg.rows import DictRow

from app.storage.allowances import Allowance, Allowed, LimitReached, Of
from app.storage.database import IS_QUICK, Connection, Database, fetch_one
from app.storage.tenancy import TenantNumber

NAME = "requests_per_minute"
WINDOW_S = 60
MAX_REMEMBERED = 1000
# Seconds of the ring: a minute that begins within one touches 61.
RING_S = 61

# The key's row is locked first: it is not the one that all wait for. All are counted, or none.
COUNT = f"""
with asked as (select * from unnest(%(keys)s::text[], %(most)s::integer[]) a (key_id, most)
), held as materialized (
    select key_id, second, requests from request_windows
    where tenant_id = %(tenant)s and key_id = any(%(keys)s) order by key_id desc for update
), now as (
    select key_id, most, now as second, requests_since(requests, second, now) as requests
    from held join asked using (key_id)
    cross join lateral (select greatest(second, extract(epoch from clock_timestamp())::bigint) as now) clock
), used as (
    select now.*, (select sum(n) from unnest(requests) n) as used from now
)
update request_windows w set second = u.second, admitted = all_have_room, requests = array(
    select n + (all_have_room and i = mod(u.second, {RING_S}) + 1)::integer
    from unnest(u.requests) with ordinality r (n, i) order by i)
from used u
cross join (select bool_and(used < most) and count(*) = cardinality(%(keys)s) as all_have_room from used) room
where w.tenant_id = %(tenant)s and w.key_id = u.key_id
returning w.key_id, w.second, w.requests, u.used < u.most as has_room
"""  # noqa: S608 - constants
# Once for each.
BEGIN = f"""
insert into request_windows (tenant_id, key_id, second, requests, admitted)
select %(tenant)s, key_id, 0, array_fill(0, array[{RING_S}]), true from unnest(%(keys)s::text[]) key_id
on conflict do nothing
"""  # noqa: S608 - constants

USED = """
select coalesce(sum(n), 0)::integer as used
from request_windows w, unnest(requests_since(requests, second, extract(epoch from clock_timestamp())::bigint)) n
where tenant_id = %(tenant)s and key_id = %(key)s
"""


@dataclass(frozen=True, slots=True)
class Window:
    """The requests of the last minute, by the second in a ring."""

    second: int
    requests: Sequence[int]

    @property
    def used(self) -> int:
        return sum(self.requests)

    @property
    def reset_s(self) -> int:
        """In how many seconds the first of them is more than a minute old."""
        ages = [(self.second - place) % RING_S for place, count in enumerate(self.requests) if count]
        return RING_S - max(ages, default=0)


@dataclass(frozen=True, slots=True)
class _Limit:
    """Of the requests in a minute, of a tenant or, with `key`, of that key."""

    tenant: TenantNumber
    key: str
    most: int

    @property
    def of(self) -> Of:
        return "key" if self.key else "tenant"

    def allowed(self, row: DictRow) -> Allowed:
        window = Window(row["second"], row["requests"])
        return Allowed(self.of, NAME, self.most, window.used, window.reset_s, WINDOW_S)


class RequestCounter:
    """That of a process, which remembers limits that are reached: they stay so until the first request of the last
    minute is more than a minute old, whatever is asked meanwhile."""

    def __init__(self) -> None:
        self._reached: dict[_Limit, tuple[LimitReached, float]] = {}

    async def count(
        self, database: Database, tenant: TenantNumber, key_id: str | None, allowances: Sequence[Allowance]
    ) -> list[Allowed]:
        """Count a request where there is a limit; return what is left. Raises LimitReached, and then counts none."""
        limits = [
            _Limit(tenant, (key_id or "") if each.of == "key" else "", each.requests_per_minute)
            for each in sorted(allowances, key=lambda each: each.of)
            if each.requests_per_minute is not None
        ]
        for limit in limits:
            self._refuse_again(limit)
        rows = await _counted(database, tenant, limits)
        for limit in limits:
            if not rows[limit.key]["has_room"]:
                raise self._remembered(limit, LimitReached(limit.allowed(rows[limit.key])))
        return [limit.allowed(rows[limit.key]) for limit in limits]

    def _refuse_again(self, limit: _Limit) -> None:
        """Raise LimitReached while it is known to be."""
        error, at = self._reached.get(limit, (None, 0.0))
        # Seconds of the database's clock, of which the first had begun.
        if error is not None and (gone := monotonic() - at) < error.allowed.reset_s - 1:
            raise error.later(gone)

    def _remembered(self, limit: _Limit, error: LimitReached) -> LimitReached:
        self._reached.pop(limit, None)
        self._reached[limit] = error, monotonic()
        if len(self._reached) > MAX_REMEMBERED:
            del self._reached[next(iter(self._reached))]
        return error


async def _counted(database: Database, tenant: TenantNumber, limits: Sequence[_Limit]) -> dict[str, DictRow]:
    """Return the windows by their keys, with this request if all have room."""
    asked = {"tenant": tenant, "keys": [each.key for each in limits], "most": [each.most for each in limits]}
    while True:
        rows = await database.at_once(tenant, [IS_QUICK, COUNT], asked)
        if len(rows) == len(limits):
            return {row["key_id"]: row for row in rows}
        await database.at_once(tenant, [BEGIN], asked)


async def used(connection: Connection, tenant: TenantNumber, key_id: str = "") -> int:
    """Return how many requests were counted in the last minute; of the tenant with an empty key."""
    row = await fetch_one(connection, USED, {"tenant": tenant, "key": key_id})
    return row["used"] if row else 0

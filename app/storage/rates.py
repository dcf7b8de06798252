"""How many requests a tenant and each of its keys may send in any minute, counted for all API processes together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from app.storage.allowances import Allowance, Allowed, LimitReached
from app.storage.database import Connection, Database, fetch_one
from app.storage.tenancy import TenantNumber

NAME = "requests_per_minute"
WINDOW_S = 60
# Seconds of the ring: a minute that begins within one touches 61.
RING_S = 61

NOW = "greatest(w.second, excluded.second)"
SINCE = f"requests_since(w.requests, w.second, {NOW})"
IS_ROOM = f"(select coalesce(sum(n), 0) from unnest({SINCE}) n) < %(most)s"  # noqa: S608 - constants
COUNT = f"""
with now as (select extract(epoch from clock_timestamp())::bigint as second)
insert into request_windows as w (tenant_id, key_id, second, requests, admitted)
select %(tenant)s, %(key)s, second,
       array(select (%(most)s > 0 and i = mod(second, {RING_S}))::integer from generate_series(0, {RING_S - 1}) i),
       %(most)s > 0
from now
on conflict (tenant_id, key_id) do update set
    second = {NOW}, admitted = {IS_ROOM},
    requests = array(
        select n + ({IS_ROOM} and i = mod({NOW}, {RING_S}) + 1)::integer
        from unnest({SINCE}) with ordinality as r (n, i) order by i)
returning second, requests, admitted
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


async def count_request(
    database: Database, tenant: TenantNumber, key_id: str | None, allowances: Sequence[Allowance]
) -> list[Allowed]:
    """Count a request where there is a limit, and return what is left. Raises LimitReached, and then counts none."""
    found: list[Allowed] = []
    async with database.transaction(tenant) as connection:
        # A crash may forget the last few.
        await connection.execute("set local synchronous_commit = off")
        # The key's first: its row is not the one that all wait for.
        for allowance in sorted(allowances, key=lambda each: each.of):
            most = allowance.requests_per_minute
            if most is None:
                continue
            of_key = (key_id or "") if allowance.of == "key" else ""
            row = await fetch_one(connection, COUNT, {"tenant": tenant, "key": of_key, "most": most})
            assert row is not None
            window = Window(row["second"], row["requests"])
            allowed = Allowed(allowance.of, NAME, most, window.used, window.reset_s, WINDOW_S)
            if not row["admitted"]:
                raise LimitReached(allowed)
            found.append(allowed)
    return found


async def used(connection: Connection, tenant: TenantNumber, key_id: str = "") -> int:
    """Return how many requests were counted in the last minute; of the tenant with an empty key."""
    row = await fetch_one(connection, USED, {"tenant": tenant, "key": key_id})
    return row["used"] if row else 0

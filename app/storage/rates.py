"""How many requests a tenant may send in a minute, counted for all API processes together."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from app.errors import TooManyRequests
from app.storage.database import Database, fetch_one
from app.storage.tenancy import TenantNumber

NAME = "requests_per_minute"
WINDOW_S = 60


class RateReached(TooManyRequests):
    """The tenant has sent as many requests in this minute as it may."""

    def __init__(self, detail: str, limit: dict[str, Any], *, retry_after_s: int) -> None:
        super().__init__(detail, retry_after_s=retry_after_s)
        self.limit = limit


@dataclass(frozen=True, slots=True)
class Rate:
    """What is left of a minute's requests, and in how many seconds the next minute begins."""

    most: int
    used: int
    reset_s: int

    @property
    def headers(self) -> dict[str, str]:
        """Return them as the IETF draft draft-ietf-httpapi-ratelimit-headers-10 has them."""
        left = max(0, self.most - self.used)
        return {
            "RateLimit-Policy": f'"{NAME}";q={self.most};w={WINDOW_S}',
            "RateLimit": f'"{NAME}";r={left};t={self.reset_s}',
        }

    def refuse_more(self) -> None:
        """Raise RateReached if this request was one too many."""
        if self.used > self.most:
            limit = {"name": NAME, "value": self.most, "used": self.most}
            detail = f"The tenant's limit {NAME!r} is {self.most}, and they are used. Wait for the next minute."
            raise RateReached(detail, limit, retry_after_s=self.reset_s)


async def count_request(database: Database, tenant: TenantNumber, most: int) -> Rate:
    async with database.transaction(tenant) as connection:
        # A crash may forget the last few.
        await connection.execute("set local synchronous_commit = off")
        row = await fetch_one(
            connection,
            """
            insert into request_counts as c (tenant_id, minute, requests)
            values (%(tenant)s, date_trunc('minute', clock_timestamp()), 1)
            on conflict (tenant_id) do update set
                minute = excluded.minute,
                requests = 1 + case when c.minute = excluded.minute then c.requests else 0 end
            returning requests, ceil(60 - extract(second from clock_timestamp()))::integer as reset
            """,
            {"tenant": tenant},
        )
    assert row is not None
    return Rate(most, row["requests"], max(1, row["reset"]))

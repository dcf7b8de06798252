"""What the limits of a tenant and of its key say of each request."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

from psycopg.rows import DictRow

from app.errors import TooManyRequests
from app.storage.usage import TODAY

Of = Literal["key", "tenant"]

GENERATED = "generated_tokens_per_day"
DAY_S = 86400


def _generated(limits: str, which: str) -> str:
    """Only where there is a limit: it is read with each look-up of a key."""
    return f"""
        case when {limits} ? '{GENERATED}' then (
            select coalesce(sum(u.completion_tokens), 0) from usage_days u
            where u.tenant_id = t.id and u.day = {TODAY} {which}) end::bigint
    """  # noqa: S608 - constants


# Of a tenant `t`, and of a key `k` and its tenant.
TENANT_COLUMNS = f"""t.limits as tenant_limits, {_generated("t.limits", "")} as tenant_generated"""
COLUMNS = f"""
    {TENANT_COLUMNS}, k.limits as key_limits, {_generated("k.limits", "and u.key_id = k.id")} as key_generated
"""


@dataclass(frozen=True, slots=True)
class Allowance:
    """Limits of a tenant, or of one of its keys, and how many tokens have been generated today."""

    of: Of
    requests_per_minute: int | None = None
    generated_tokens_per_day: int | None = None
    generated_tokens: int = 0


@dataclass(frozen=True, slots=True)
class Allowed:
    """A limit, what is used of it, and in how many seconds there is more."""

    of: Of
    name: str
    most: int
    used: int
    reset_s: int
    window_s: int

    @property
    def policy(self) -> str:
        return f'"{self._shown}";q={self.most};w={self.window_s}'

    @property
    def left(self) -> str:
        return f'"{self._shown}";r={max(0, self.most - self.used)};t={self.reset_s}'

    @property
    def _shown(self) -> str:
        return self.name if self.of == "tenant" else f"key_{self.name}"


class LimitReached(TooManyRequests):
    """The tenant, or its key, has used what it may for now."""

    def __init__(self, allowed: Allowed) -> None:
        super().__init__(
            f"The {allowed.of}'s limit {allowed.name!r} is {allowed.most}, and it is used.",
            retry_after_s=allowed.reset_s,
        )
        self.allowed = allowed
        self.limit: dict[str, Any] = {
            "name": allowed.name, "value": allowed.most, "used": allowed.used, "of": allowed.of,
        }  # fmt: skip

    def later(self, seconds: float) -> LimitReached:
        """Return the same, as it is to be told so many seconds later."""
        return LimitReached(replace(self.allowed, reset_s=max(1, math.ceil(self.allowed.reset_s - seconds))))


def allowances_of(row: DictRow) -> tuple[Allowance, ...]:
    """Return those of a row with COLUMNS, or with TENANT_COLUMNS where there is no key, that limit requests."""
    found = []
    of: Of
    for of in ("key", "tenant"):
        limits = row.get(f"{of}_limits") or {}
        minute, day = limits.get("requests_per_minute"), limits.get(GENERATED)
        if minute is not None or day is not None:
            found.append(Allowance(of, minute, day, row[f"{of}_generated"] or 0))
    return tuple(found)


def refuse_generating(allowances: Sequence[Allowance]) -> list[Allowed]:
    """Return what is left of today's tokens. Raises LimitReached if nothing is."""
    found = []
    for each in allowances:
        if (most := each.generated_tokens_per_day) is not None:
            allowed = Allowed(each.of, GENERATED, most, each.generated_tokens, until_tomorrow_s(), DAY_S)
            if allowed.used >= most:
                raise LimitReached(allowed)
            found.append(allowed)
    return found


def until_tomorrow_s() -> int:
    now = datetime.now(UTC)
    tomorrow = now.replace(hour=0, minute=0, second=0, microsecond=0) + timedelta(days=1)
    return max(1, round((tomorrow - now).total_seconds()))

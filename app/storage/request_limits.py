"""How long a request may hold what others want, too."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class RequestLimits:
    """The most connections of one tenant, and how long a request's transaction may take for what."""

    per_tenant: int
    statement_s: float
    lock_s: float
    idle_s: float

    @property
    def settings(self) -> dict[str, str]:
        """Those of PostgreSQL for a request's transaction."""
        return {
            "statement_timeout": _ms(self.statement_s),
            "lock_timeout": _ms(self.lock_s),
            "idle_in_transaction_session_timeout": _ms(self.idle_s),
        }


def _ms(seconds: float) -> str:
    return str(max(1, round(1000 * seconds)))

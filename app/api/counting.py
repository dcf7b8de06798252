"""Counts requests: against the limits of their tenant and key, and for what is used."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from fastapi import Request

from app.api.refusals import noted
from app.services import Services
from app.storage.allowances import Allowed, LimitReached, refuse_generating
from app.storage.rates import count_request
from app.storage.tenants import Tenant


async def count_once(request: Request, services: Services, tenant: Tenant) -> None:
    """Count a request, however many dependencies ask for it. Raises LimitReached."""
    if hasattr(request.state, "counted"):
        return
    request.state.counted = True
    if any(each.requests_per_minute is not None for each in tenant.allowances):
        with _shown(request):
            left = await count_request(services.database, tenant.number, tenant.key_id, tenant.allowances)
            show(request, *left)
    services.meter.count(tenant.number, requests=1)


def refuse_used_up(request: Request, tenant: Tenant) -> None:
    """Raise LimitReached if today's tokens of the tenant or its key are used."""
    with _shown(request):
        show(request, *refuse_generating(tenant.allowances))


def show(request: Request, *allowed: Allowed) -> None:
    """Have the answer say what is left, as the IETF draft draft-ietf-httpapi-ratelimit-headers-10 has it."""
    known = request.scope["state"].setdefault("allowed", {})
    known |= {each.policy: each for each in allowed}


def headers(state: dict[str, dict[str, Allowed]]) -> dict[str, str]:
    known = state.get("allowed") or {}
    if not known:
        return {}
    return {
        "RateLimit-Policy": ", ".join(each.policy for each in known.values()),
        "RateLimit": ", ".join(each.left for each in known.values()),
    }


@contextmanager
def _shown(request: Request) -> Iterator[None]:
    try:
        with noted(request):
            yield
    except LimitReached as error:
        show(request, error.allowed)
        raise

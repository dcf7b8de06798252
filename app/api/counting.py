"""Counts requests: against the limits of their tenant and key, and for what is used."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from fastapi import Request

from app.api.limit_headers import show
from app.api.refusals import noted
from app.services import Services
from app.storage.allowances import LimitReached, refuse_generating
from app.storage.rates import RequestCounter
from app.storage.tenants import Tenant


async def count_once(request: Request, services: Services, tenant: Tenant) -> None:
    """Count a request, however many dependencies ask for it. Raises LimitReached."""
    if hasattr(request.state, "counted"):
        return
    request.state.counted = True
    if any(each.requests_per_minute is not None for each in tenant.allowances):
        with _shown(request):
            counter: RequestCounter = request.app.state.request_counter
            show(request, *await counter.count(services.database, tenant.number, tenant.key_id, tenant.allowances))
    services.meter.count(tenant.number, requests=1)


def refuse_used_up(request: Request, tenant: Tenant) -> None:
    """Raise LimitReached if today's tokens of the tenant or its key are used."""
    with _shown(request):
        show(request, *refuse_generating(tenant.allowances))


@contextmanager
def _shown(request: Request) -> Iterator[None]:
    try:
        with noted(request):
            yield
    except LimitReached as error:
        show(request, error.allowed)
        raise

"""Counts requests: against the limits of their tenant and key, and for what is used."""

from __future__ import annotations

from fastapi import Request

from app.api.refusals import noted
from app.services import Services
from app.storage.rates import count_request
from app.storage.tenants import Tenant


async def count_once(request: Request, services: Services, tenant: Tenant) -> None:
    """Count a request, however many dependencies ask for it. Raises RateReached."""
    if hasattr(request.state, "counted"):
        return
    request.state.counted = True
    if tenant.requests_per_minute is not None:
        request.state.rate = await count_request(services.database, tenant.number, tenant.requests_per_minute)
        with noted(request):
            request.state.rate.refuse_more()
    services.meter.count(tenant.number, requests=1)

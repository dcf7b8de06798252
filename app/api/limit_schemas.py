"""Bodies about a tenant's limits."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, Field

from app.api.schemas import Body

Most = Annotated[int, Field(ge=0, lt=2**53)]


class TenantLimits(Body):
    """What is left out stays as it is; null takes the limit away."""

    documents: Most | None = None
    bytes: Annotated[Most | None, Field(description="Of uploaded files, those on their way included")] = None
    chunks: Most | None = None
    adapters: Annotated[Most | None, Field(description="Versions of adapters")] = None
    jobs_waiting: Annotated[Most | None, Field(description="Documents and tasks that wait or are under way")] = None
    requests_per_minute: Annotated[int, Field(ge=0, lt=2**31)] | None = None


class LimitsBody(Body):
    limits: TenantLimits


class TenantUse(BaseModel):
    """The tenant's `limits`, and what is `used` of each: those of stocks, with what is on its way."""

    limits: dict[str, int]
    used: dict[str, int]

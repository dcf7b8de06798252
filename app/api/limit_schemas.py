"""Bodies about the limits of tenants and keys."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, Field, model_validator

from app.api.schemas import Body
from app.storage.query_log import MAX_DAYS

Most = Annotated[int, Field(ge=0, lt=2**53)]


class KeyLimits(Body):
    """What is left out stays as it is; null takes the limit away."""

    requests_per_minute: Annotated[int, Field(ge=0, lt=2**31)] | None = None
    generated_tokens_per_day: Annotated[Most | None, Field(description="Days are those of UTC")] = None


class TenantLimits(KeyLimits):
    """What is left out stays as it is; null takes the limit away."""

    documents: Most | None = None
    bytes: Annotated[Most | None, Field(description="Of uploaded files, those on their way included")] = None
    chunks: Most | None = None
    adapters: Annotated[Most | None, Field(description="Versions of adapters")] = None
    jobs_waiting: Annotated[Most | None, Field(description="Documents and tasks that wait or are under way")] = None
    training_seconds_per_day: Most | None = None


class TenantChangesBody(Body):
    """What is left out stays as it is."""

    limits: TenantLimits = TenantLimits()
    query_log_days: Annotated[
        Annotated[int, Field(ge=1, le=MAX_DAYS)] | None,
        Field(description="Log the tenant's questions and keep them so long; null logs none and removes those there"),
    ] = None

    @model_validator(mode="after")
    def _something(self) -> TenantChangesBody:
        if not self.model_fields_set:
            raise ValueError("must have limits or query_log_days")
        return self


class Used(BaseModel):
    """The `limits`, and what is `used` of each: those of stocks, with what is on its way."""

    limits: dict[str, int]
    used: dict[str, int]

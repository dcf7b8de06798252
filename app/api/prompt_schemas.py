"""Bodies about stored prompts."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from pydantic import BaseModel, Field

from app.api.query_schemas import ElementsBody, MaxTokens, MinP, Seed, Stops, Temperature, TopK, TopP
from app.api.schemas import Body


class SamplingBody(Body):
    temperature: Temperature | None = None
    top_p: TopP | None = None
    top_k: TopK | None = None
    min_p: MinP | None = None
    max_tokens: MaxTokens | None = None
    seed: Seed | None = None
    stop: Stops | None = None


class PromptBody(ElementsBody):
    sampling: SamplingBody = SamplingBody()


class ActivateBody(Body):
    version: Annotated[int, Field(ge=1, lt=2**31)]


class PromptSummaryOut(BaseModel):
    name: str
    versions: list[int]
    active: int | None
    default: bool


class StoredPromptOut(PromptBody):
    """`active`: the name alone means this version; `default`: questions that name no prompt get it."""

    name: str
    version: int
    active: bool
    default: bool
    created_at: datetime

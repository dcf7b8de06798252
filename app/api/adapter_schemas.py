"""Bodies of adapters: versions as they are shown, switching, evaluation."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

from pydantic import BaseModel, Field, StringConstraints

from app.adapters.activation import Action
from app.adapters.version import AdapterStatus
from app.api.query_schemas import MaxTokens
from app.api.schemas import MAX_TOP_K, Body, Input
from app.language.unicode import CLEAN
from app.prompting.elements import Grounding

MAX_CASES = 500

VersionNumber = Annotated[int, Field(ge=1, lt=2**31)]


class CheckOut(BaseModel):
    name: str
    ok: bool
    detail: str


class AdapterOut(BaseModel):
    """A version. It is final with `ready` and `rejected`; after `failed` the same archive may be sent again."""

    name: str
    version: int
    status: AdapterStatus
    active: bool
    base_model: str | None
    rank: int | None
    target_modules: list[str] | None
    bytes: int
    checks: list[CheckOut]
    proof: dict[str, Any] | None
    error_detail: str | None
    created_at: datetime
    ready_at: datetime | None


class ActivateAdapterBody(Body):
    version: VersionNumber


class RollbackOut(BaseModel):
    """What is active now; null: the base model answers."""

    active: AdapterOut | None


class ActivationOut(BaseModel):
    """A line of the trail. `by` is the id of the key; without a name the base model answers from then on."""

    seq: int
    action: Action
    name: str | None
    version: int | None
    by: str | None
    at: datetime


Expected = Annotated[str, StringConstraints(min_length=1, max_length=20_000), CLEAN]


class CaseBody(Body):
    """A question, and the answers that would be right; without any only what is said is compared."""

    input: Input
    expected: Expected | Annotated[list[Expected], Field(max_length=10)] | None = None


class EvaluateBody(Body):
    """Without `version` the active one, else the newest. The rest is as in POST /query."""

    version: VersionNumber | None = None
    top_k: Annotated[int, Field(ge=1, le=MAX_TOP_K)] = 5
    max_tokens: MaxTokens | None = None
    grounding: Grounding | None = None
    cases: Annotated[list[CaseBody], Field(min_length=1, max_length=MAX_CASES)]

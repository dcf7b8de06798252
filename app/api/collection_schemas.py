"""Bodies about collections."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, Field

from app.api.filters import Filters
from app.api.query_schemas import MinScore, PromptReference
from app.api.schemas import MAX_TOP_K, Body, CollectionId, Title, given
from app.language.question_language import Language
from app.retrieval.search import Mode


class DefaultsBody(Body):
    """What a question in the collection gets for the fields that it leaves out."""

    prompt: PromptReference | None = None
    mode: Mode | None = None
    top_k: Annotated[int, Field(ge=1, le=MAX_TOP_K)] | None = None
    min_score: MinScore | None = None
    rerank: bool | None = None
    language: Language | None = None


class CollectionBody(Body):
    """`id` is of letters, digits, `.`, `-` and `_`; `name` is for people."""

    id: CollectionId
    name: Title | None = None
    defaults: DefaultsBody = DefaultsBody()


class ChangedCollectionBody(Body):
    """What is left out stays as it is; `defaults` is replaced as a whole."""

    name: Title | None = None
    defaults: Annotated[DefaultsBody | None, AfterValidator(given)] = None


class CollectionOut(BaseModel):
    id: str
    name: str | None
    defaults: dict[str, Any]
    documents: int
    created_at: datetime


class MoveBody(Body):
    """Which documents: `{"key": "document_id", "op": "in", "value": […]}` names some."""

    filters: Filters


class MovedOut(BaseModel):
    """`moved`: those that were elsewhere. What they hold, such as attachments, comes along and is not counted."""

    moved: int

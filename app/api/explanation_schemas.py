"""How an answer or a search came about, as it is shown."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, Field

from app.api.chunk_schemas import Headings
from app.retrieval.trace import Fate


class PlaceOut(BaseModel):
    """In one ranking; the first rank is 1."""

    rank: int
    score: float


class CandidateOut(BaseModel):
    """A chunk that was looked at, with its place in each ranking that has it, and what became of it."""

    chunk_id: str
    document_id: str
    title: str | None
    page: int | None
    headings: Headings
    text: str = Field(description="Its first 300 characters")
    dense: PlaceOut | None = Field(description="By meaning; the score is the cosine")
    lexical: PlaceOut | None = Field(description="By words; the score is BM25's")
    fused: PlaceOut | None
    rerank: PlaceOut | None
    fate: Fate | Literal["token_budget"] = Field(
        description="`used`; `copy` of better ones; `beyond_per_document`; `beyond_top_k`; `below_min_score`; "
        "`token_budget`: it did not fit into the prompt; `over_size`: it did not fit into the answer"
    )


class ElementOut(BaseModel):
    """`tokens` is null where nothing counted them."""

    name: str
    text: str
    tokens: int | None


class PromptSentOut(BaseModel):
    """The messages as the engine was given them, and the elements that they are made of."""

    messages: list[dict[str, str]]
    elements: list[ElementOut]


class ExplanationOut(BaseModel):
    """`translated`: the search by meaning was made in the other language, too. Without an engine `prompt` is null."""

    terms: list[str] = Field(description="What the question has for the search by words")
    translated: bool
    candidates: list[CandidateOut]
    prompt: PromptSentOut | None

"""Answers and errors in OpenAI's shape."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel

from app.api.chunk_schemas import SpanOut
from app.api.query_schemas import CitationOut, PromptOut, UnsupportedOut
from app.grounding.guard import NoAnswerReason


class SourceOut(BaseModel):
    """A retrieved chunk without its text, which GET /documents/{id}/chunks has."""

    chunk_id: str
    document_id: str
    source: str | None
    title: str | None
    page: int | None
    score: float
    rank: int


class GroundsOut(BaseModel):
    """What of POST /query's answer OpenAI's shape has no place for, and `answer`, to whose text the spans refer."""

    id: str
    answer: str
    answer_mode: Literal["generated", "extracted"]
    no_answer_reason: NoAnswerReason | None
    citations: list[CitationOut]
    unsupported: list[UnsupportedOut]
    unchecked: list[SpanOut]
    contexts: list[SourceOut]
    prompt: PromptOut
    timings_ms: dict[str, float]
    model: str | None
    adapter: str | None
    reasoning: str | None
    search_query: str | None
    fallback: str | None


class FunctionOut(BaseModel):
    name: str
    arguments: str


class CallOut(BaseModel):
    id: str
    type: Literal["function"] = "function"
    function: FunctionOut


class MessageOut(BaseModel):
    """`refusal` takes the place of `content` where a schema was asked for and there is no answer."""

    role: Literal["assistant"] = "assistant"
    content: str | None
    refusal: str | None
    reasoning_content: str | None
    tool_calls: list[CallOut] | None = None


class ChoiceOut(BaseModel):
    index: Literal[0] = 0
    message: MessageOut
    finish_reason: Literal["stop", "length", "tool_calls"]
    logprobs: None = None


class UsageOut(BaseModel):
    prompt_tokens: int
    completion_tokens: int
    total_tokens: int


class ChatOut(BaseModel):
    id: str
    object: Literal["chat.completion"] = "chat.completion"
    created: int
    model: str
    choices: list[ChoiceOut]
    usage: UsageOut
    kyujang: GroundsOut


class TextChoiceOut(BaseModel):
    index: Literal[0] = 0
    text: str
    finish_reason: Literal["stop", "length"]
    logprobs: None = None


class TextOut(BaseModel):
    id: str
    object: Literal["text_completion"] = "text_completion"
    created: int
    model: str
    choices: list[TextChoiceOut]
    usage: UsageOut
    kyujang: GroundsOut


class EmbeddingOut(BaseModel):
    """`embedding` is the base64 of little-endian floats of 32 bits where `encoding_format` says so."""

    object: Literal["embedding"] = "embedding"
    index: int
    embedding: list[float] | str


class EmbeddingUsageOut(BaseModel):
    """Tokens are not counted."""

    prompt_tokens: Literal[0] = 0
    total_tokens: Literal[0] = 0


class EmbeddingsOut(BaseModel):
    object: Literal["list"] = "list"
    data: list[EmbeddingOut]
    model: str
    usage: EmbeddingUsageOut = EmbeddingUsageOut()


class ModelOut(BaseModel):
    id: str
    object: Literal["model"] = "model"
    created: int
    owned_by: str


class ModelsOut(BaseModel):
    object: Literal["list"] = "list"
    data: list[ModelOut]


class ErrorOut(BaseModel):
    message: str
    type: Literal["invalid_request_error", "rate_limit_error", "server_error"]
    param: str | None
    code: str


class FailureOut(BaseModel):
    error: ErrorOut

"""Bodies in OpenAI's shape. What would change an answer and is not served is refused; what changes nothing is taken."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, StringConstraints, WithJsonSchema

from app.api.filters import Filters
from app.api.query_schemas import (
    MAX_TURNS,
    AdapterChoice,
    MaxTokens,
    MinScore,
    ResponseFormatBody,
    Seed,
    Stops,
    Temperature,
    TopP,
)
from app.api.schemas import MAX_TOP_K, Body, Input
from app.prompting.elements import Grounding
from app.retrieval.search import Mode

TEXT_ALONE = (
    "only text is understood, a string or parts {'type': 'text', 'text': …}: "
    "take a file in with POST /ingest and ask about it"
)
NO_TOOLS = "tools are not served: leave it out"
NO_THINKING = "is not served: let a stored prompt with 'reasoning' be the model"


def _text(content: Any) -> Any:
    if not isinstance(content, list):
        return content
    for part in content:
        if not isinstance(part, dict) or set(part) != {"type", "text"} or part["type"] != "text":
            raise ValueError(TEXT_ALONE)
        if not isinstance(part["text"], str):
            raise ValueError(TEXT_ALONE)
    return "\n".join(part["text"] for part in content)


def _listed(stop: Any) -> Any:
    return [stop] if isinstance(stop, str) else stop


def _format(value: Any) -> Any:
    if value == {"type": "text"}:
        return None
    if isinstance(value, dict) and value.get("type") == "json_object":
        raise ValueError("json_object is not served: send {'type': 'json_schema', …} with the schema you expect")
    return value


def _none_but(*neutral: Any, because: str) -> BeforeValidator:
    """For a field of which only some values change nothing."""

    def check(value: Any) -> None:
        if value is not None and value not in neutral:
            raise ValueError(because)

    return BeforeValidator(check)


def _one_or_many(one: dict[str, Any], many: dict[str, Any]) -> WithJsonSchema:
    return WithJsonSchema({"anyOf": [one, {"type": "array", "items": many}]})


PART = {
    "type": "object",
    "properties": {"type": {"const": "text"}, "text": {"type": "string"}},
    "required": ["type", "text"],
    "additionalProperties": False,
}
Content = Annotated[Input, BeforeValidator(_text), _one_or_many({"type": "string"}, PART)]
Stop = Annotated[Stops | None, BeforeValidator(_listed), _one_or_many({"type": ["string", "null"]}, {"type": "string"})]
Nothing = Annotated[None, _none_but([], {}, "none", because=NO_TOOLS)]
Ignored = Annotated[Any, Field(description="Changes nothing")]


class ChatMessage(Body):
    """An answer's message may be sent back as it came."""

    role: Literal["system", "developer", "user", "assistant"]
    content: Content
    name: Ignored = None
    refusal: Ignored = None
    annotations: Ignored = None
    reasoning_content: Ignored = None
    tool_calls: Nothing = None
    function_call: Nothing = None
    audio: Annotated[None, _none_but(because=TEXT_ALONE)] = None


class StreamOptions(Body):
    include_usage: bool = False
    include_obfuscation: Ignored = None


class SampledBody(Body):
    """What OpenAI names and the engine serves."""

    temperature: Temperature | None = None
    top_p: TopP | None = None
    max_tokens: MaxTokens | None = None
    max_completion_tokens: MaxTokens | None = None
    stop: Stop = None
    seed: Seed | None = None
    response_format: Annotated[ResponseFormatBody | None, BeforeValidator(_format)] = None


class RetrievalBody(Body):
    """Ours, as in POST /query; the official client sends them as `extra_body`."""

    top_k: Annotated[int, Field(ge=1, le=MAX_TOP_K)] | None = None
    mode: Mode | None = None
    filters: Filters | None = None
    min_score: MinScore | None = None
    rerank: bool | None = None
    grounding: Grounding | None = None
    adapter: AdapterChoice | None = None


class IgnoredBody(Body):
    """What libraries send by habit."""

    user: Ignored = None
    safety_identifier: Ignored = None
    store: Ignored = None
    metadata: Ignored = None
    service_tier: Ignored = None
    prediction: Ignored = None
    prompt_cache_key: Ignored = None
    prompt_cache_options: Ignored = None
    prompt_cache_retention: Ignored = None
    parallel_tool_calls: Ignored = None
    top_logprobs: Annotated[None, _none_but(0, because="log probabilities are not served: leave it out")] = None
    logprobs: Annotated[None, _none_but(False, because="log probabilities are not served: leave it out")] = None
    n: Annotated[None, _none_but(1, because="one answer is given: leave n out, or ask again with another seed")] = None
    frequency_penalty: Annotated[None, _none_but(0, because="penalties are not served: leave it out")] = None
    presence_penalty: Annotated[None, _none_but(0, because="penalties are not served: leave it out")] = None
    logit_bias: Annotated[None, _none_but({}, because="biases are not served: leave it out")] = None
    tools: Nothing = None
    tool_choice: Annotated[None, _none_but("none", "auto", because=NO_TOOLS)] = None
    functions: Nothing = None
    function_call: Annotated[None, _none_but("none", "auto", because=NO_TOOLS)] = None
    modalities: Annotated[None, _none_but(["text"], because="answers are text: leave it out")] = None
    audio: Annotated[None, _none_but(because="answers are text: leave it out")] = None
    moderation: Annotated[None, _none_but(because="is not served: leave it out")] = None
    web_search_options: Annotated[
        None, _none_but(because="the tenant's documents alone are searched: leave it out")
    ] = None
    reasoning_effort: Annotated[None, _none_but("none", because=NO_THINKING)] = None
    verbosity: Annotated[
        None, _none_but("medium", because="is not served: let a stored prompt's output_indicator say how long")
    ] = None


class ChatBody(SampledBody, RetrievalBody, IgnoredBody):
    model: Annotated[str, StringConstraints(max_length=80)]
    messages: Annotated[list[ChatMessage], Field(min_length=1, max_length=MAX_TURNS)]
    stream: bool | None = None
    stream_options: StreamOptions | None = None

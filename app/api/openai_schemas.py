"""Bodies in OpenAI's shape. What would change an answer and is not served is refused; what changes nothing is taken."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field, StringConstraints, WithJsonSchema

from app.api.filters import Filters
from app.api.openai_conversation import MAX_MESSAGES, ChatMessage
from app.api.query_schemas import (
    MAX_TOKENS,
    AdapterChoice,
    MinScore,
    Neighbours,
    PerDocument,
    ResponseFormat,
    Stops,
    Temperature,
    TopP,
)
from app.api.schemas import MAX_TOP_K, Body, CollectionId, Input
from app.prompting.elements import Grounding
from app.retrieval.search import Mode

NO_THINKING = "is not served: let a stored prompt with 'reasoning' be the model"
NO_LOGPROBS = "log probabilities are not served: leave it out"
NO_FUNCTIONS = "is not served: send the function in 'tools', and its name in 'tool_choice'"


def _listed(stop: Any) -> Any:
    """An empty string stops nothing."""
    listed = [stop] if isinstance(stop, str) else stop
    return [each for each in listed if each != ""] or None if isinstance(listed, list) else listed


def none_but(*neutral: Any, because: str) -> BeforeValidator:
    """For a field of which only some values change nothing."""

    def check(value: Any) -> None:
        if value is not None and value not in neutral:
            raise ValueError(because)

    return BeforeValidator(check)


def _one_or_many(one: dict[str, Any], many: dict[str, Any]) -> WithJsonSchema:
    return WithJsonSchema({"anyOf": [one, {"type": "array", "items": many}]})


# Clients ask for the most that any model gives, and take numbers of 64 bits for seeds.
MaxTokens = Annotated[int, Field(ge=1, lt=2**63), AfterValidator(lambda tokens: min(tokens, MAX_TOKENS))]
Seed = Annotated[int, Field(ge=-(2**63), lt=2**64), AfterValidator(lambda seed: seed % 2**31)]
Stop = Annotated[Stops | None, BeforeValidator(_listed), _one_or_many({"type": ["string", "null"]}, {"type": "string"})]
Ignored = Annotated[Any, Field(description="Changes nothing")]
Model = Annotated[str, StringConstraints(max_length=80)]


class StreamOptions(Body):
    include_usage: bool = False
    include_obfuscation: Ignored = None


class SampledBody(Body):
    """What OpenAI names and the engine serves."""

    temperature: Temperature | None = None
    top_p: TopP | None = None
    max_tokens: MaxTokens | None = None
    stop: Stop = None
    seed: Seed | None = None


class RetrievalBody(Body):
    """Ours, as in POST /query; the official client sends them as `extra_body`."""

    top_k: Annotated[int, Field(ge=1, le=MAX_TOP_K)] | None = None
    mode: Mode | None = None
    filters: Filters | None = None
    collection: CollectionId | None = None
    min_score: MinScore | None = None
    rerank: bool | None = None
    per_document: PerDocument = None
    neighbours: Neighbours | None = None
    grounding: Grounding | None = None
    adapter: AdapterChoice | None = None


class IgnoredBody(Body):
    """What libraries send by habit."""

    user: Ignored = None
    safety_identifier: Ignored = None
    store: Ignored = None
    metadata: Ignored = None
    service_tier: Ignored = None
    prompt_cache_key: Ignored = None
    prompt_cache_options: Ignored = None
    prompt_cache_retention: Ignored = None
    n: Annotated[None, none_but(1, because="one answer is given: leave n out, or ask again with another seed")] = None
    frequency_penalty: Annotated[None, none_but(0, because="penalties are not served: leave it out")] = None
    presence_penalty: Annotated[None, none_but(0, because="penalties are not served: leave it out")] = None
    logit_bias: Annotated[None, none_but({}, because="biases are not served: leave it out")] = None


class ChatBody(SampledBody, RetrievalBody, IgnoredBody):
    model: Model
    messages: Annotated[list[ChatMessage], Field(min_length=1, max_length=MAX_MESSAGES)]
    stream: bool | None = None
    stream_options: StreamOptions | None = None
    max_completion_tokens: MaxTokens | None = None
    response_format: ResponseFormat = None
    tools: Annotated[Any, Field(description="One function, which `tool_choice` names: the answer is its arguments")] = (
        None
    )
    tool_choice: Any = None
    prediction: Ignored = None
    parallel_tool_calls: Ignored = None
    top_logprobs: Annotated[None, none_but(0, because=NO_LOGPROBS)] = None
    logprobs: Annotated[None, none_but(False, because=NO_LOGPROBS)] = None
    functions: Annotated[None, none_but([], because=NO_FUNCTIONS)] = None
    function_call: Annotated[None, none_but("none", "auto", because=NO_FUNCTIONS)] = None
    modalities: Annotated[None, none_but(["text"], because="answers are text: leave it out")] = None
    audio: Annotated[None, none_but(because="answers are text: leave it out")] = None
    moderation: Annotated[None, none_but(because="is not served: leave it out")] = None
    web_search_options: Annotated[None, none_but(because="the tenant's documents alone are searched: leave it out")] = (
        None
    )
    reasoning_effort: Annotated[None, none_but("none", because=NO_THINKING)] = None
    verbosity: Annotated[
        None, none_but("medium", because="is not served: let a stored prompt's output_indicator say how long")
    ] = None


def _only(prompt: Any) -> Any:
    return prompt[0] if isinstance(prompt, list) and len(prompt) == 1 else prompt


class CompletionBody(SampledBody, RetrievalBody, IgnoredBody):
    """Without a conversation: `prompt` is the question."""

    model: Model
    prompt: Annotated[Input, BeforeValidator(_only)]
    stream: bool | None = None
    stream_options: StreamOptions | None = None
    best_of: Annotated[None, none_but(1, because="one answer is given: leave best_of out")] = None
    echo: Annotated[None, none_but(False, because="the prompt is not repeated: leave it out")] = None
    logprobs: Annotated[None, none_but(0, because=NO_LOGPROBS)] = None
    suffix: Annotated[None, none_but("", because="is not served: leave it out")] = None


MAX_EMBEDDED = 1000
TEXTS_ALONE = (
    "only texts are embedded, not their tokens: with LangChain set check_embedding_ctx_length=False, and leave it to "
    "this service to cut a long text"
)


def _texts(texts: Any) -> Any:
    texts = [texts] if isinstance(texts, str) else texts
    if isinstance(texts, list) and any(not isinstance(each, str) for each in texts):
        raise ValueError(TEXTS_ALONE)
    return texts


class EmbeddingsBody(Body):
    model: Model
    input: Annotated[
        list[Input],
        Field(min_length=1, max_length=MAX_EMBEDDED),
        BeforeValidator(_texts),
        _one_or_many({"type": "string"}, {"type": "string"}),
    ]
    encoding_format: Literal["float", "base64"] = "float"
    dimensions: int | None = None
    user: Ignored = None

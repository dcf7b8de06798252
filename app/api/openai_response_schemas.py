"""The body of POST /v1/responses, and what a question needs of it."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field, ValidationError

from app.api.openai_conversation import MAX_MESSAGES, ChatMessage, Conversation, conversation
from app.api.openai_schemas import NO_LOGPROBS, NO_THINKING, Ignored, MaxTokens, Model, RetrievalBody, none_but
from app.api.query_schemas import Temperature, TopP
from app.api.schemas import MAX_TOP_K
from app.errors import InvalidInput

MESSAGES_ALONE = (
    "only messages are understood, whole each time, since nothing is kept: set the client's 'store' to false, and "
    "leave out references, calls and their results"
)
FILE_SEARCH_ALONE = "'file_search' is the one tool, and always used: leave the others out"
NOTHING_KEPT = "nothing is kept: send the earlier turns in 'input', and set the client's 'store' to false"


class ResponseBody(RetrievalBody):
    model: Model
    input: str | Annotated[list[dict[str, Any]], Field(min_length=1, max_length=MAX_MESSAGES)]
    instructions: str | None = None
    max_output_tokens: MaxTokens | None = None
    temperature: Temperature | None = None
    top_p: TopP | None = None
    stream: bool | None = None
    text: dict[str, Any] | None = None
    tools: list[dict[str, Any]] | None = None
    tool_choice: Any = None
    metadata: Ignored = None
    reasoning: Any = None
    include: Ignored = None
    store: Ignored = None
    user: Ignored = None
    truncation: Ignored = None
    service_tier: Ignored = None
    safety_identifier: Ignored = None
    prompt_cache_key: Ignored = None
    prompt_cache_retention: Ignored = None
    stream_options: Ignored = None
    parallel_tool_calls: Ignored = None
    max_tool_calls: Ignored = None
    top_logprobs: Annotated[None, none_but(0, because=NO_LOGPROBS)] = None
    background: Annotated[None, none_but(False, because="is not served: wait for the answer, or stream it")] = None
    previous_response_id: Annotated[None, none_but(because=NOTHING_KEPT)] = None
    conversation: Annotated[None, none_but(because=NOTHING_KEPT)] = None
    prompt: Annotated[None, none_but(because="is not served: let a stored prompt be the model")] = None


def conversation_in(body: ResponseBody) -> Conversation:
    """Raises InvalidInput for what is not a message."""
    if isinstance(body.reasoning, dict) and body.reasoning.get("effort") not in (None, "none"):
        raise InvalidInput(NO_THINKING, pointer="/reasoning")
    items = [{"role": "user", "content": body.input}] if isinstance(body.input, str) else body.input
    first = [ChatMessage(role="system", content=body.instructions)] if body.instructions else []
    messages = [_message(place, item) for place, item in enumerate(items) if item.get("type") != "reasoning"]
    try:
        return conversation([*first, *messages])
    except InvalidInput as error:
        raise InvalidInput(error.detail, pointer="/input") from None


def form_in(text: dict[str, Any] | None) -> dict[str, Any] | None:
    """Return the response's format as the chat route has it."""
    form = (text or {}).get("format")
    if not isinstance(form, dict) or form.get("type") == "text":
        return None
    if form.get("type") == "json_object":
        return {"type": "json_object"}
    kept = {name: form[name] for name in ("name", "schema", "description", "strict") if form.get(name) is not None}
    return {"type": form.get("type"), "json_schema": kept}


def searched(tools: list[dict[str, Any]] | None) -> dict[str, Any]:
    """Return what a file search asks of the retrieval. Raises InvalidInput for other tools, and for its filters."""
    found: dict[str, Any] = {}
    for tool in tools or ():
        if tool.get("type") != "file_search":
            raise InvalidInput(FILE_SEARCH_ALONE, pointer="/tools")
        if tool.get("filters") is not None:
            raise InvalidInput("is not served here: send 'filters' as POST /query has them", pointer="/tools")
        results = tool.get("max_num_results")
        if isinstance(results, int) and results > 0:
            found["top_k"] = min(results, MAX_TOP_K)
    return found


def _message(place: int, item: dict[str, Any]) -> ChatMessage:
    if item.get("type") not in (None, "message"):
        raise InvalidInput(MESSAGES_ALONE, pointer=f"/input/{place}")
    try:
        return ChatMessage.model_validate(item)
    except ValidationError as error:
        first = error.errors()[0]
        where = "/".join(map(str, first["loc"]))
        raise InvalidInput(first["msg"], pointer=f"/input/{place}/{where}") from None

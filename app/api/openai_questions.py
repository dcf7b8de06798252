"""Make a question of a body in OpenAI's shape, and name what is wrong with it as OpenAI does."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from typing import Any

from fastapi import Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import StreamingResponse
from pydantic import ValidationError
from pydantic_core import ErrorDetails

from app.api.openai_conversation import Conversation
from app.api.openai_schemas import RetrievalBody, SampledBody
from app.api.query import count
from app.api.query_defaults import with_defaults
from app.api.query_logging import answer, answer_events
from app.api.query_mapping import question_of
from app.api.query_schemas import QueryBody
from app.api.sse import Event, Format, event_stream
from app.errors import InvalidInput, UnknownModel
from app.prompting.stored_prompts import DEFAULT
from app.questions import Answer, AnswerEvent, Question
from app.services import Services
from app.storage.tenants import Tenant

Names = Mapping[str, str]
# What our fields are called there.
CHAT: Names = {"input": "messages", "persona": "messages", "prompt": "model"}
TEXT: Names = {"input": "prompt", "prompt": "model"}
RESPONSES: Names = {"messages": "input", "persona": "instructions", "prompt": "model", "response_format": "text"}


async def question_in(
    services: Services, tenant: Tenant, body: Any, said: Conversation, names: Names, **fields: Any
) -> Question:
    """Return the question, with what else `fields` say. Raises RequestValidationError for what does not go together."""
    query = await asyncio.to_thread(_query_in, body, said, names, fields)
    question = question_of(await with_defaults(services, tenant, query))
    return replace(question, dropped_turns=said.dropped, cut_texts=said.cut)


def _query_in(body: Any, said: Conversation, names: Names, fields: Mapping[str, Any]) -> QueryBody:
    shared = (*SampledBody.model_fields, *RetrievalBody.model_fields)
    given = {name: value for name in shared if (value := getattr(body, name, None)) is not None}
    given |= {name: value for name, value in fields.items() if value is not None}
    if body.model != DEFAULT:
        given["prompt"] = body.model
    try:
        return QueryBody.model_validate({**given, **said.fields})
    except ValidationError as error:
        raise RequestValidationError([_renamed(each, names) for each in error.errors()]) from None


@contextmanager
def in_their_terms(names: Names) -> Iterator[None]:
    """Raise UnknownModel, or InvalidInput that names a field of OpenAI's."""
    try:
        yield
    except InvalidInput as error:
        name = error.errors[0]["pointer"].removeprefix("/")
        if name == "prompt":
            raise UnknownModel from error
        if name not in names:
            raise
        raise InvalidInput(error.detail, pointer=f"/{names[name]}") from error


def stream_in_their_terms(
    request: Request,
    services: Services,
    tenant: Tenant,
    question: Question,
    names: Names,
    events_of: Callable[[AnswerEvent], Iterable[Event]],
    form: Format,
) -> StreamingResponse:
    events = answer_events(request, services, tenant, question)
    return event_stream(request, events, events_of, form, partial(in_their_terms, names))


async def answer_in_their_terms(
    request: Request, services: Services, tenant: Tenant, question: Question, names: Names
) -> Answer:
    with in_their_terms(names):
        given = await answer(request, services, tenant, question)
    count(services.metrics, given)
    return given


def _renamed(error: ErrorDetails, names: Names) -> dict[str, Any]:
    first, *rest = error["loc"] or ("",)
    return {**error, "loc": (names.get(str(first), first), *rest)}

"""POST /query and the stored prompts in the format of OpenAI's API."""

from __future__ import annotations

import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from fastapi import APIRouter, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import StreamingResponse
from pydantic import ValidationError
from pydantic_core import ErrorDetails

from app import pipeline
from app.api.deps import KeyFirst, QueryTenant, ServicesDep
from app.api.openai_answers import ChatOut, ChoiceOut, FailureOut, GroundsOut, MessageOut, ModelOut, ModelsOut, UsageOut
from app.api.openai_schemas import ChatBody, RetrievalBody, SampledBody
from app.api.query import count
from app.api.query_mapping import answer_out, question_of, usage_out
from app.api.query_schemas import QueryBody
from app.api.sse import OPENAI, Event, event_stream, while_connected
from app.errors import InvalidInput, UnknownModel
from app.metrics import Metrics
from app.prompting import stored_prompts
from app.prompting.stored_prompts import DEFAULT
from app.questions import Answer, AnswerEvent, Delta
from app.storage.tenants import Tenant

router = APIRouter(
    route_class=KeyFirst,
    prefix="/v1",
    tags=["OpenAI"],
    responses={
        "4XX": {"model": FailureOut, "description": "What is wrong with the request"},
        "5XX": {"model": FailureOut, "description": "What is wrong with the service"},
    },
)

MODELS_AT_ONCE = 200
TURNS = ("user", "assistant")
# What our fields are called here.
NAMES = {"input": "messages", "persona": "messages", "prompt": "model"}


@dataclass(frozen=True, slots=True)
class Completion:
    """The head of an answer, which each of its chunks repeats."""

    body: ChatBody
    id: str = field(default_factory=lambda: f"chatcmpl-{secrets.token_hex(12)}")
    created: int = field(default_factory=lambda: int(time.time()))

    def whole(self, answer: Answer) -> ChatOut:
        return ChatOut(
            id=self.id,
            created=self.created,
            model=self.body.model,
            choices=[ChoiceOut(message=self.message(answer), finish_reason=_finish_reason(answer))],
            usage=_usage(answer),
            kyujang=_grounds(answer),
        )

    def message(self, answer: Answer) -> MessageOut:
        text, refused = answer.grounded.text, self.refused(answer)
        return MessageOut(
            content=None if refused else text,
            refusal=text if refused else None,
            reasoning_content=answer.reasoning or None,
        )

    def refused(self, answer: Answer) -> bool:
        """Tell whether the answer is a refusal: a client that expects JSON cannot read a sentence."""
        return self.body.response_format is not None and answer.finish_reason == "no_answer"

    def last_chunks(self, answer: Answer, held: str) -> Iterator[Event]:
        if held:
            yield self.chunk({"refusal" if self.refused(answer) else "content": held})
        if answer.reasoning:
            yield self.chunk({"reasoning_content": answer.reasoning})
        yield self.chunk({}, _finish_reason(answer), kyujang=_grounds(answer).model_dump(mode="json"))
        if self.with_usage:
            yield self._event(choices=[], usage=_usage(answer).model_dump())

    def chunk(self, delta: dict[str, str], finish_reason: str | None = None, **more: Any) -> Event:
        choice = {"index": 0, "delta": delta, "finish_reason": finish_reason, "logprobs": None}
        usage = {"usage": None} if self.with_usage else {}
        return self._event(choices=[choice], **usage, **more)

    def _event(self, **fields: Any) -> Event:
        head = {"id": self.id, "object": "chat.completion.chunk", "created": self.created, "model": self.body.model}
        return "chunk", {**head, **fields}

    @property
    def with_usage(self) -> bool:
        return self.body.stream_options is not None and self.body.stream_options.include_usage


@dataclass(slots=True)
class Chunks:
    """Writes an answer as chunks, the first with the first text, so that what fails before has its status.

    Where there is a schema, the last text is held back until it is clear whether it is a refusal.
    """

    completion: Completion
    metrics: Metrics
    held: str = ""
    begun: bool = False

    def of(self, event: AnswerEvent) -> Iterator[Event]:
        if isinstance(event, Delta):
            if not self.begun:
                yield self.completion.chunk({"role": "assistant", "content": ""})
                self.begun = True
            structured = self.completion.body.response_format is not None
            text, self.held = (self.held, event.text) if structured else (event.text, "")
            if text:
                yield self.completion.chunk({"content": text})
        elif isinstance(event, Answer):
            count(self.metrics, event)
            yield from self.completion.last_chunks(event, self.held)


@router.post("/chat/completions", response_model=ChatOut, responses={200: {"content": {"text/event-stream": {}}}})
async def chat_completions(
    request: Request, body: ChatBody, tenant: QueryTenant, services: ServicesDep
) -> ChatOut | StreamingResponse:
    """Answer like `POST /query`, in OpenAI's format: `model` is a stored prompt, or `default`; `kyujang` has the
    citations.

    The last message is the question, those before it the conversation; system messages are the persona.
    """
    completion = Completion(body)
    question = question_of(_query(body))
    if body.stream:
        events = pipeline.answer_events(services, tenant, question)
        return event_stream(request, events, Chunks(completion, services.metrics).of, OPENAI, _in_their_terms)
    with _in_their_terms():
        answer = await while_connected(request, pipeline.answer, services, tenant, question)
    count(services.metrics, answer)
    return completion.whole(answer)


@router.get("/models")
async def list_models(tenant: QueryTenant, services: ServicesDep) -> ModelsOut:
    """List `default`, which questions without a prompt get, and the stored prompts, in OpenAI's format."""
    data, after = [await _default(tenant, services)], None
    while True:
        rows = await stored_prompts.summaries(services.database, tenant.number, limit=MODELS_AT_ONCE, after=after)
        data += [_model(row.name, row.created_at.timestamp(), tenant) for row in rows]
        if len(rows) < MODELS_AT_ONCE:
            return ModelsOut(data=data)
        after = rows[-1].name


@router.get("/models/{id}")
async def get_model(id: str, tenant: QueryTenant, services: ServicesDep) -> ModelOut:
    """Show one of them, by `name` or `name@version`."""
    if id == DEFAULT:
        return await _default(tenant, services)
    with _in_their_terms():
        async with services.database.snapshot(tenant.number) as snapshot:
            stored = await stored_prompts.resolve(snapshot.connection, tenant.number, id)
    assert stored is not None
    return _model(id, stored.created_at.timestamp(), tenant)


async def _default(tenant: Tenant, services: ServicesDep) -> ModelOut:
    async with services.database.snapshot(tenant.number) as snapshot:
        stored = await stored_prompts.resolve(snapshot.connection, tenant.number, None)
    return _model(DEFAULT, stored.created_at.timestamp() if stored else 0, tenant)


def _model(name: str, created: float, tenant: Tenant) -> ModelOut:
    return ModelOut(id=name, created=int(created), owned_by=tenant.slug)


def _query(body: ChatBody) -> QueryBody:
    """Translate the body. Raises RequestValidationError for fields that do not go together."""
    system = [each.content for each in body.messages if each.role in ("system", "developer")]
    turns = [{"role": each.role, "content": each.content} for each in body.messages if each.role in TURNS]
    if not turns or turns[-1]["role"] != "user":
        raise InvalidInput("The last message is the question: its role must be 'user'.", pointer="/messages")
    shared = (*SampledBody.model_fields, *RetrievalBody.model_fields)
    fields = {name: value for name in shared if (value := getattr(body, name)) is not None}
    if (most := fields.pop("max_completion_tokens", None)) is not None:
        fields["max_tokens"] = most
    if system:
        fields["persona"] = "\n\n".join(system)
    if body.model != DEFAULT:
        fields["prompt"] = body.model
    try:
        return QueryBody.model_validate({**fields, "input": turns[-1]["content"], "messages": turns[:-1]})
    except ValidationError as error:
        raise RequestValidationError([_renamed(each) for each in error.errors()]) from None


def _renamed(error: ErrorDetails) -> dict[str, Any]:
    first, *rest = error["loc"] or ("",)
    joined = "system and developer messages together: " if first == "persona" else ""
    return {**error, "loc": (NAMES.get(str(first), first), *rest), "msg": joined + error["msg"]}


@contextmanager
def _in_their_terms() -> Iterator[None]:
    """Raise UnknownModel, or InvalidInput that names a field of OpenAI's."""
    try:
        yield
    except InvalidInput as error:
        name = error.errors[0]["pointer"].removeprefix("/")
        if name == "prompt":
            raise UnknownModel from error
        if name not in NAMES:
            raise
        raise InvalidInput(error.detail, pointer=f"/{NAMES[name]}") from error


def _finish_reason(answer: Answer) -> Any:
    return "length" if answer.finish_reason == "length" else "stop"


def _usage(answer: Answer) -> UsageOut:
    usage = usage_out(answer)
    return UsageOut(**usage, total_tokens=sum(usage.values()))


def _grounds(answer: Answer) -> GroundsOut:
    return GroundsOut.model_validate(answer_out(answer), from_attributes=True)

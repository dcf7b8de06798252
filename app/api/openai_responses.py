"""POST /v1/responses: answers in the shape of OpenAI's newer API, without keeping anything."""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import StreamingResponse

from app.api.deps import AskingTenant, KeyFirst, ServicesDep
from app.api.openai import router as shared
from app.api.openai_chunks import grounds
from app.api.openai_questions import RESPONSES, answer_in_their_terms, question_in, stream_in_their_terms
from app.api.openai_response_schemas import ResponseBody, conversation_in, form_in, searched
from app.api.query import count
from app.api.query_mapping import usage_out
from app.api.sse import NAMED, Event
from app.metrics import Metrics
from app.questions import Answer, AnswerEvent, Delta

router = APIRouter(route_class=KeyFirst, prefix="/v1", tags=["OpenAI"], responses=shared.responses)


@dataclass(slots=True)
class Response:
    """The answer as it grows. The last text is held back where it may be a refusal."""

    body: ResponseBody
    metrics: Metrics
    structured: bool
    id: str = field(default_factory=lambda: f"resp_{secrets.token_hex(12)}")
    item: str = field(default_factory=lambda: f"msg_{secrets.token_hex(12)}")
    created: int = field(default_factory=lambda: int(time.time()))
    number: int = 0
    held: str = ""
    begun: bool = False

    def whole(self, answer: Answer | None) -> dict[str, Any]:
        body = self.body
        cut = answer is not None and answer.finish_reason == "length"
        return {
            "id": self.id,
            "object": "response",
            "created_at": self.created,
            "status": "in_progress" if answer is None else "incomplete" if cut else "completed",
            "error": None,
            "incomplete_details": {"reason": "max_output_tokens"} if cut else None,
            "instructions": body.instructions,
            "max_output_tokens": body.max_output_tokens,
            "metadata": {},
            "model": body.model,
            "output": [] if answer is None else [self.message(answer)],
            "parallel_tool_calls": False,
            "previous_response_id": None,
            "reasoning": {"effort": None, "summary": None},
            "store": False,
            "temperature": body.temperature,
            "text": {"format": {"type": "json_schema" if self.structured else "text"}},
            "tool_choice": "auto",
            "tools": [],
            "top_p": body.top_p,
            "truncation": "disabled",
            "usage": None if answer is None else _usage(answer),
            **({} if answer is None else {"kyujang": grounds(answer).model_dump(mode="json")}),
        }

    def message(self, answer: Answer) -> dict[str, Any]:
        head = {"type": "message", "id": self.item, "role": "assistant", "status": "completed"}
        return {**head, "content": [self.part(answer)]}

    def part(self, answer: Answer) -> dict[str, Any]:
        if self.refused(answer):
            return {"type": "refusal", "refusal": answer.grounded.text}
        text = {"type": "output_text", "text": answer.grounded.text, "logprobs": []}
        return {**text, "annotations": _annotations(answer)}

    def refused(self, answer: Answer) -> bool:
        return self.structured and answer.finish_reason == "no_answer"

    def events_of(self, event: AnswerEvent) -> Iterator[Event]:
        if isinstance(event, Delta):
            if not self.begun:
                yield from self._begin()
            text, self.held = (self.held, event.text) if self.structured else (event.text, "")
            if text:
                yield self._in_part("response.output_text.delta", delta=text, logprobs=[])
        elif isinstance(event, Answer):
            count(self.metrics, event)
            yield from self._end(event)

    def _begin(self) -> Iterator[Event]:
        self.begun = True
        yield self._event("response.created", response=self.whole(None))
        yield self._event("response.in_progress", response=self.whole(None))
        item = {"type": "message", "id": self.item, "role": "assistant", "status": "in_progress", "content": []}
        yield self._event("response.output_item.added", output_index=0, item=item)
        empty = {"type": "output_text", "text": "", "annotations": [], "logprobs": []}
        yield self._in_part("response.content_part.added", part=empty)

    def _end(self, answer: Answer) -> Iterator[Event]:
        kind = "refusal" if self.refused(answer) else "output_text"
        logprobs: dict[str, Any] = {} if self.refused(answer) else {"logprobs": []}
        if self.held:
            yield self._in_part(f"response.{kind}.delta", delta=self.held, **logprobs)
        if self.refused(answer):
            yield self._in_part("response.refusal.done", refusal=answer.grounded.text)
        else:
            for number, annotation in enumerate(_annotations(answer)):
                yield self._in_part(
                    "response.output_text.annotation.added", annotation_index=number, annotation=annotation
                )
            yield self._in_part("response.output_text.done", text=answer.grounded.text, **logprobs)
        yield self._in_part("response.content_part.done", part=self.part(answer))
        yield self._event("response.output_item.done", output_index=0, item=self.message(answer))
        whole = self.whole(answer)
        yield self._event(f"response.{whole['status']}", response=whole)

    def _in_part(self, name: str, **fields: Any) -> Event:
        return self._event(name, item_id=self.item, output_index=0, content_index=0, **fields)

    def _event(self, name: str, **fields: Any) -> Event:
        self.number += 1
        return name, {"type": name, "sequence_number": self.number - 1, **fields}


@router.post("/responses", response_model=None, responses={200: {"content": {"text/event-stream": {}}}})
async def responses(
    request: Request, body: ResponseBody, tenant: AskingTenant, services: ServicesDep
) -> dict[str, Any] | StreamingResponse:
    """Answer like `POST /v1/chat/completions`, in the format of OpenAI's Responses API; annotations carry the quotes.

    Nothing is kept: the conversation comes with each request. `file_search`, the one tool, is always used.
    """
    form = form_in(body.text)
    said = await asyncio.to_thread(conversation_in, body)
    fields = {"response_format": form, "max_tokens": body.max_output_tokens, **searched(body.tools)}
    question = await question_in(services, tenant, body, said, RESPONSES, **fields)
    response = Response(body, services.metrics, form is not None)
    if body.stream:
        return stream_in_their_terms(request, services, tenant, question, RESPONSES, response.events_of, NAMED)
    return response.whole(await answer_in_their_terms(request, services, tenant, question, RESPONSES))


def _annotations(answer: Answer) -> list[dict[str, Any]]:
    return [
        {
            "type": "file_citation",
            "file_id": citation.match.document_id,
            "filename": citation.match.title or citation.match.source or citation.match.document_id,
            "index": citation.answer_span.end,
            "quote": citation.quote,
        }
        for citation in answer.grounded.citations
    ]


def _usage(answer: Answer) -> dict[str, Any]:
    counted = usage_out(answer)
    return {
        "input_tokens": counted["prompt_tokens"],
        "input_tokens_details": {"cached_tokens": 0},
        "output_tokens": counted["completion_tokens"],
        "output_tokens_details": {"reasoning_tokens": 0},
        "total_tokens": sum(counted.values()),
    }

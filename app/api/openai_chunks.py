"""An answer in the shape of OpenAI's completions, whole or in chunks."""

from __future__ import annotations

import secrets
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Literal

from app.api.openai_answers import (
    CallOut,
    ChatOut,
    ChoiceOut,
    FunctionOut,
    GroundsOut,
    MessageOut,
    TextChoiceOut,
    TextOut,
    UsageOut,
)
from app.api.openai_schemas import StreamOptions
from app.api.query import count
from app.api.query_mapping import answer_out, usage_out
from app.api.sse import Event
from app.metrics import Metrics
from app.questions import Answer, AnswerEvent, Delta

FinishReason = Literal["stop", "length", "tool_calls"]


@dataclass(frozen=True, slots=True)
class ChatCompletion:
    """The head of an answer, which each of its chunks repeats. A `function` takes the answer as its arguments."""

    model: str
    options: StreamOptions | None = None
    structured: bool = False
    """A client that expects JSON cannot read a sentence: no answer is a refusal."""
    function: str | None = None
    id: str = field(default_factory=lambda: f"chatcmpl-{secrets.token_hex(12)}")
    call: str = field(default_factory=lambda: f"call_{secrets.token_hex(12)}")
    created: int = field(default_factory=lambda: int(time.time()))

    def whole(self, answer: Answer) -> ChatOut:
        return ChatOut(
            id=self.id,
            created=self.created,
            model=self.model,
            choices=[ChoiceOut(message=self._message(answer), finish_reason=self.finish_reason(answer))],
            usage=usage(answer),
            kyujang=grounds(answer),
        )

    def _message(self, answer: Answer) -> MessageOut:
        text, refused = answer.grounded.text, self.refused(answer)
        called = self.function is not None and not refused
        return MessageOut(
            content=None if refused or called else text,
            refusal=text if refused else None,
            reasoning_content=answer.reasoning or None,
            tool_calls=[CallOut(id=self.call, function=FunctionOut(name=self.function or "", arguments=text))]
            if called
            else None,
        )

    def refused(self, answer: Answer) -> bool:
        return self.structured and answer.finish_reason == "no_answer"

    def finish_reason(self, answer: Answer) -> FinishReason:
        if answer.finish_reason == "length":
            return "length"
        return "tool_calls" if self.function is not None and not self.refused(answer) else "stop"

    def first_chunk(self) -> Iterator[Event]:
        yield self.chunk({"role": "assistant", "content": "" if self.function is None else None})

    def text_chunk(self, text: str, *, first: bool) -> Event:
        if self.function is None:
            return self.chunk({"content": text})
        head = {"id": self.call, "type": "function"} if first else {}
        name = {"name": self.function} if first else {}
        return self.chunk({"tool_calls": [{"index": 0, **head, "function": {**name, "arguments": text}}]})

    def last_chunks(self, answer: Answer, held: str, *, first: bool) -> Iterator[Event]:
        if held:
            yield self.chunk({"refusal": held}) if self.refused(answer) else self.text_chunk(held, first=first)
        if answer.reasoning:
            yield self.chunk({"reasoning_content": answer.reasoning})
        yield self.chunk({}, self.finish_reason(answer), kyujang=grounds(answer).model_dump(mode="json"))
        if self.with_usage:
            yield self.event(choices=[], usage=usage(answer).model_dump())

    def chunk(self, delta: dict[str, Any], finish_reason: FinishReason | None = None, **more: Any) -> Event:
        choice = {"index": 0, "delta": delta, "finish_reason": finish_reason, "logprobs": None}
        return self.event(choices=[choice], **({"usage": None} if self.with_usage else {}), **more)

    def event(self, **fields: Any) -> Event:
        head = {"id": self.id, "object": "chat.completion.chunk", "created": self.created, "model": self.model}
        return "chunk", {**head, **fields}

    @property
    def with_usage(self) -> bool:
        return self.options is not None and self.options.include_usage


@dataclass(frozen=True, slots=True)
class TextCompletion:
    """The same for the older route, which has texts in the place of messages."""

    model: str
    options: StreamOptions | None = None
    structured: Literal[False] = False
    id: str = field(default_factory=lambda: f"cmpl-{secrets.token_hex(12)}")
    created: int = field(default_factory=lambda: int(time.time()))

    def whole(self, answer: Answer) -> TextOut:
        choice = TextChoiceOut(text=answer.grounded.text, finish_reason=_finish_reason(answer))
        return TextOut(
            id=self.id,
            created=self.created,
            model=self.model,
            choices=[choice],
            usage=usage(answer),
            kyujang=grounds(answer),
        )

    def first_chunk(self) -> Iterator[Event]:
        yield from ()

    def text_chunk(self, text: str, *, first: bool) -> Event:
        return self._chunk(text)

    def last_chunks(self, answer: Answer, held: str, *, first: bool) -> Iterator[Event]:
        yield self._chunk("", _finish_reason(answer), kyujang=grounds(answer).model_dump(mode="json"))
        if self.options is not None and self.options.include_usage:
            yield self._event(choices=[], usage=usage(answer).model_dump())

    def _chunk(self, text: str, finish_reason: str | None = None, **more: Any) -> Event:
        choice = {"index": 0, "text": text, "finish_reason": finish_reason, "logprobs": None}
        return self._event(choices=[choice], **more)

    def _event(self, **fields: Any) -> Event:
        head = {"id": self.id, "object": "text_completion", "created": self.created, "model": self.model}
        return "chunk", {**head, **fields}


@dataclass(slots=True)
class Chunks:
    """Writes an answer as chunks, the first with the first text, so that what fails before has its status.

    Where there is a schema, the last text is held back until it is clear whether it is a refusal.
    """

    completion: ChatCompletion | TextCompletion
    metrics: Metrics
    held: str = ""
    begun: bool = False
    told: bool = False

    def of(self, event: AnswerEvent) -> Iterator[Event]:
        if isinstance(event, Delta):
            if not self.begun:
                yield from self.completion.first_chunk()
                self.begun = True
            text, self.held = (self.held, event.text) if self.completion.structured else (event.text, "")
            if text:
                yield self.completion.text_chunk(text, first=not self.told)
                self.told = True
        elif isinstance(event, Answer):
            count(self.metrics, event)
            yield from self.completion.last_chunks(event, self.held, first=not self.told)


def usage(answer: Answer) -> UsageOut:
    counted = usage_out(answer)
    return UsageOut(**counted, total_tokens=sum(counted.values()))


def grounds(answer: Answer) -> GroundsOut:
    return GroundsOut.model_validate(answer_out(answer), from_attributes=True)


def _finish_reason(answer: Answer) -> Literal["stop", "length"]:
    return "length" if answer.finish_reason == "length" else "stop"

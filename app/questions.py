"""A question, and the events and the answer that come of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from app.adapters.activation import AUTO
from app.generation.completion import Generation
from app.generation.messages import Message
from app.grounding.citations import Citation
from app.grounding.guard import GroundedAnswer
from app.prompting.elements import Overrides
from app.prompting.stored_prompts import StoredPrompt
from app.prompting.token_budget import Dialogue, Prompt
from app.retrieval.match import Match
from app.retrieval.search import SearchOptions


@dataclass(frozen=True, slots=True)
class Question:
    """`prompt` names a stored one, `name` or `name@3`; `overrides` are the elements that the question sets itself;
    `turns` are the conversation before it, `schema` a JSON schema that the answer keeps to; `adapter` is `auto` (the
    tenant's active one), `none`, `name` or `name@3`."""

    input: str
    search: SearchOptions = field(default_factory=SearchOptions)
    prompt: str | None = None
    overrides: Overrides = field(default_factory=Overrides)
    turns: Sequence[Message] = ()
    schema: Mapping[str, Any] | None = None
    adapter: str = AUTO

    @property
    def dialogue(self) -> Dialogue:
        return Dialogue(self.input, self.turns)


@dataclass(frozen=True, slots=True)
class Answer:
    """`fallback` is the code of the error for which the answer was extracted instead of generated."""

    id: str
    grounded: GroundedAnswer
    contexts: Sequence[Match]
    prompt: Prompt
    stored: StoredPrompt | None
    search_query: str
    timings_ms: dict[str, float]
    generation: Generation | None = None
    reasoning: str = ""
    model: str | None = None
    adapter: str | None = None
    fallback: str | None = None

    @property
    def finish_reason(self) -> Literal["stop", "length", "no_answer"]:
        if self.grounded.no_answer_reason is not None:
            return "no_answer"
        if self.generation is None or self.grounded.mode == "extracted":
            return "stop"
        return self.generation.finish_reason


@dataclass(frozen=True, slots=True)
class Preview:
    prompt: Prompt
    contexts: Sequence[Match]
    stored: StoredPrompt | None
    search_query: str


@dataclass(frozen=True, slots=True)
class Retrieved:
    contexts: Sequence[Match]


@dataclass(frozen=True, slots=True)
class Delta:
    text: str


AnswerEvent = Retrieved | Delta | Citation | Answer

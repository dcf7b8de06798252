"""A question, what it is answered with, and the events and the answer that come of it."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from app.adapters.activation import AUTO
from app.adapters.version import AdapterVersion
from app.generation.adapter_cache import Adapter
from app.generation.completion import Generation
from app.generation.messages import Message
from app.generation.replica import Served
from app.grounding.answerability import Answerability
from app.grounding.citations import Citation, CitationChecker, Support
from app.grounding.guard import GroundedAnswer
from app.grounding.judge import GroundingCheck, Review
from app.language.question_language import Language
from app.language.question_parts import question_parts
from app.prompting.elements import Grounding, Overrides, PromptElements
from app.prompting.reply import Reply
from app.prompting.stored_prompts import StoredPrompt
from app.prompting.token_budget import Dialogue, Prompt, parts_of
from app.retrieval.match import Match
from app.retrieval.search import Found, SearchOptions
from app.retrieval.trace import Trace

Decompose = bool | Literal["engine"]


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
    language: Language | None = None
    decompose: Decompose = False
    """Whether two things that it asks at once are searched for apart, cut by its words or by the engine; the first
    question of a conversation alone."""
    asked_apart: Sequence[str] | None = None
    """The parts that the engine has cut."""
    check: GroundingCheck | None = None
    """How sentences are checked; by default as the settings say."""
    min_answerability: float | None = None
    """Below it the engine's own judgement refuses the question; by default as the settings say."""
    dropped_turns: int = 0
    cut_texts: int = 0
    """What the client sent and is not among `turns`, or not whole."""

    @property
    def parts(self) -> Sequence[str]:
        """What is searched for apart; nothing if it is one question."""
        found = self.asked_apart or (question_parts(self.input) if self.decompose and not self.turns else [])
        return found if len(found) > 1 else []

    @property
    def dialogue(self) -> Dialogue:
        return Dialogue(self.input, self.turns, self.dropped_turns, self.cut_texts)


@dataclass(frozen=True, slots=True)
class Plan:
    """What the question is to be answered with. Without a `grounding` the model decides it."""

    question: Question
    stored: StoredPrompt | None
    adapter: AdapterVersion | None
    loadable: Adapter | None
    """The adapter as the engine loads it."""
    elements: PromptElements
    grounding: Grounding | None

    def grounding_of(self, served: Served) -> Grounding:
        # The packaged toy model invents; its inventions must not be shown unasked.
        chosen = self.grounding or ("extract" if served.is_packaged else "mark")
        # A sentence out of the sources keeps to no schema.
        return "refuse" if chosen == "extract" and self.question.schema is not None else chosen


@dataclass(slots=True)
class Draft:
    """What has come of the question so far. Without a `generation` the sources' own sentences answer."""

    plan: Plan
    query: str
    found: Found
    prompt: Prompt = field(default_factory=Prompt)
    served: Served | None = None
    grounding: Grounding = "mark"
    reply: Reply = field(default_factory=Reply)
    checker: CitationChecker | None = None
    generation: Generation | None = None
    answerability: Answerability | None = None
    """What the engine said before it answered, if it was asked."""
    is_refused: bool = False
    """Whether that was too little."""
    review: Review | None = None
    """What a judge made of the check by words."""
    shown: str = ""
    """What the caller has of the text."""
    fallback: str | None = None
    titles: Sequence[str] | None = None
    """Of documents, where the question is about the shelf."""

    @property
    def stands(self) -> bool:
        """Whether the text can be shown as it comes: its check marks it at most."""
        return self.grounding in ("mark", "off")

    @property
    def text(self) -> str:
        return self.reply.answer.strip()

    @property
    def contexts(self) -> Sequence[Match]:
        return self.found.matches[: self.prompt.used_contexts] if self.generation else self.found.matches

    @property
    def questions(self) -> list[str]:
        """The question as asked, and as searched for."""
        return list(dict.fromkeys((self.plan.question.input, self.query)))

    def new_checker(self) -> CitationChecker:
        matches = self.found.matches[: self.prompt.used_contexts]
        structured = self.plan.question.schema is not None
        return CitationChecker(matches, "\n".join(self.questions), structured=structured)

    async def feed(self, part: str) -> str:
        """Take what the engine has sent; return what can be shown now."""
        assert self.checker is not None
        shown = self.checker.feed(self.reply.feed(part))
        return shown + await asyncio.to_thread(self.checker.check) if self.stands and self.checker.due else shown

    def finish(self) -> Support:
        """Check what has not been checked; all, where what came first has turned out to be thinking aloud."""
        if self.checker is None or self.checker.text.strip() != self.text:
            self.checker = self.new_checker()
            self.checker.feed(self.text)
        return self.checker.finish()

    def rest_of(self, answer: str) -> list[str]:
        """Return what of the answer the caller does not have; all of it, where something else was shown."""
        if not answer.startswith(self.shown):
            return [f"\n\n{answer}"]
        return [rest] if (rest := answer[len(self.shown) :]) else []


@dataclass(frozen=True, slots=True)
class Explanation:
    """`elements` are the prompt's texts by element, none where no engine counts them."""

    trace: Trace
    elements: Mapping[str, str]

    @classmethod
    def of(cls, plan: Plan, found: Found, prompt: Prompt) -> Explanation | None:
        """Return it where it is asked for."""
        question = plan.question
        if not question.search.explain:
            return None
        return cls(found.trace, parts_of(plan.elements, prompt, question.input) if prompt.tokens else {})


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
    answerability: Answerability | None = None
    review: Review | None = None
    checked: bool = True
    """Whether its sentences were compared with the sources."""
    explanation: Explanation | None = None
    logged: bool = False
    """Whether it is in the tenant's query log."""

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
    explanation: Explanation | None = None


@dataclass(frozen=True, slots=True)
class Retrieved:
    contexts: Sequence[Match]


@dataclass(frozen=True, slots=True)
class Delta:
    text: str


AnswerEvent = Retrieved | Delta | Citation | Answer

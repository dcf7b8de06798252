"""The way of a question: embed, search, assemble the prompt, generate, check the citations, answer."""

from __future__ import annotations

import secrets
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Literal

from app.citations import Support, cite
from app.errors import InvalidInput
from app.extract import extract
from app.generation import Engine, Generation, Sampling
from app.prompts import Message, PromptElements, build_messages, default_elements, source_block
from app.services import Services
from app.settings import PACKAGED_MODEL
from app.stores import Match
from app.tenants import Tenant

Grounding = Literal["mark", "extract", "refuse", "off"]
NoAnswer = Literal["nothing_retrieved", "below_min_score", "model_declined"]


@dataclass(frozen=True, slots=True)
class Question:
    input: str
    instruction: str | None = None
    output_indicator: str | None = None
    top_k: int = 5
    min_score: float | None = None
    grounding: Grounding | None = None
    sampling: Sampling = field(default_factory=Sampling)


@dataclass(frozen=True, slots=True)
class Prompt:
    """What the engine was given. `tokens` by element, counted by the engine's own tokenizer."""

    messages: list[Message] = field(default_factory=list)
    tokens: dict[str, int] = field(default_factory=dict)
    dropped_contexts: int = 0


@dataclass(frozen=True, slots=True)
class Answer:
    id: str
    support: Support
    contexts: Sequence[Match]
    answer_mode: Literal["generated", "extracted"]
    finish_reason: Literal["stop", "length", "no_answer"]
    no_answer_reason: NoAnswer | None
    prompt: Prompt
    prompt_tokens: int
    completion_tokens: int
    model: str | None
    timings_ms: dict[str, float]


class Clock:
    """Milliseconds of each named step."""

    def __init__(self) -> None:
        self._started = time.perf_counter()
        self.ms: dict[str, float] = dict.fromkeys(
            ("embed", "search", "rerank", "prompt", "first_token", "generate", "total"), 0.0
        )

    @contextmanager
    def step(self, name: str) -> Iterator[None]:
        started = time.perf_counter()
        yield
        self.ms[name] = _ms(time.perf_counter() - started)

    def stop(self) -> dict[str, float]:
        self.ms["total"] = _ms(time.perf_counter() - self._started)
        return self.ms


async def search(
    services: Services, tenant: Tenant, text: str, *, top_k: int, min_score: float | None = None, clock: Clock
) -> tuple[list[Match], bool]:
    """The matches, and whether `min_score` took some or all away."""
    with clock.step("embed"):
        vector = (await services.embedder.embed([text], "query"))[0]
    with clock.step("search"):
        found = await services.store.search(tenant.number, vector, top_k)
    kept = [match for match in found if min_score is None or match.score >= min_score]
    return kept, len(kept) < len(found)


async def answer(services: Services, tenant: Tenant, question: Question) -> Answer:
    clock = Clock()
    elements = _elements(question)
    contexts, below = await search(
        services, tenant, question.input, top_k=question.top_k, min_score=question.min_score, clock=clock
    )
    if not contexts:
        reason: NoAnswer = "below_min_score" if below else "nothing_retrieved"
        return _no_answer(elements, contexts, clock, reason)
    if services.engine is None:
        return _extracted(question, elements, contexts, clock, Prompt())
    with clock.step("prompt"):
        prompt, kept = await assemble(services.engine, elements, contexts, question)
    with clock.step("generate"):
        generation = await services.engine.generate(prompt.messages, question.sampling, tenant=tenant.number)
    clock.ms["first_token"] = _ms(generation.first_token_s)
    return await _checked(services, question, elements, kept, clock, prompt, generation)


async def dry_run(services: Services, tenant: Tenant, question: Question) -> tuple[Prompt, list[Match]]:
    """The prompt as it would be sent, without generating."""
    clock = Clock()
    contexts, _ = await search(
        services, tenant, question.input, top_k=question.top_k, min_score=question.min_score, clock=clock
    )
    if services.engine is None:
        return Prompt(build_messages(_elements(question), contexts, question.input, _fence())), contexts
    return await assemble(services.engine, _elements(question), contexts, question)


async def assemble(
    engine: Engine, elements: PromptElements, contexts: Sequence[Match], question: Question
) -> tuple[Prompt, list[Match]]:
    """Contexts that do not fit the engine's context are dropped, lowest-ranked first, never cut.

    Raises InvalidInput if the question does not fit even alone.
    """
    fence = _fence()
    blocks = [source_block(match, number, fence) for number, match in enumerate(contexts, start=1)]
    alone, instruction, indicator, text, *sizes = (
        await engine.count_message_tokens(build_messages(elements, [], question.input, fence)),
        *await engine.count_tokens([elements.instruction, elements.output_indicator, question.input, *blocks]),
    )
    room = (await engine.served()).context_tokens - question.sampling["max_tokens"] - alone
    if room < 0:
        raise InvalidInput(
            f"The question, the instruction and max_tokens are {-room} tokens too long for the model. "
            "Shorten them or lower max_tokens.",
            pointer="/input",
        )
    kept = 0
    # One token a block for the line break, which two separate counts do not see.
    while kept < len(blocks) and sum(sizes[: kept + 1]) + kept + 1 <= room:
        kept += 1
    messages = build_messages(elements, contexts[:kept], question.input, fence)
    context = sum(sizes[:kept])
    tokens = {
        "instruction": instruction,
        "examples": 0,
        "context": context,
        "input": text,
        "output_indicator": indicator,
        "total": await engine.count_message_tokens(messages),
    }
    return Prompt(messages, tokens, len(contexts) - kept), list(contexts[:kept])


async def _checked(
    services: Services,
    question: Question,
    elements: PromptElements,
    contexts: Sequence[Match],
    clock: Clock,
    prompt: Prompt,
    generation: Generation,
) -> Answer:
    """What no source supports is marked, replaced by the extractive answer, or refused."""
    assert services.engine is not None
    model = (await services.engine.served()).model
    grounding = question.grounding or services.settings.grounding or ("extract" if model == PACKAGED_MODEL else "mark")
    support = cite(generation.text, contexts)
    if grounding == "off":
        support = replace(support, unsupported=[])
    done = Answer(
        id=_id(),
        support=support,
        contexts=contexts,
        answer_mode="generated",
        finish_reason=generation.finish_reason,
        no_answer_reason=None,
        prompt=prompt,
        prompt_tokens=generation.prompt_tokens,
        completion_tokens=generation.completion_tokens,
        model=model,
        timings_ms=clock.stop(),
    )
    if grounding in ("mark", "off") or (support.citations and not support.unsupported):
        return done
    if grounding == "refuse":
        other = _no_answer(elements, contexts, clock, "model_declined", prompt)
    else:
        other = _extracted(question, elements, contexts, clock, prompt)
    return replace(
        other, model=model, prompt_tokens=generation.prompt_tokens, completion_tokens=generation.completion_tokens
    )


def _extracted(
    question: Question, elements: PromptElements, contexts: Sequence[Match], clock: Clock, prompt: Prompt
) -> Answer:
    support = extract(question.input, contexts)
    if support is None:
        return _no_answer(elements, contexts, clock, "model_declined", prompt)
    return replace(
        _no_answer(elements, contexts, clock, None, prompt),
        support=support,
        finish_reason="stop",
        no_answer_reason=None,
    )


def _no_answer(
    elements: PromptElements,
    contexts: Sequence[Match],
    clock: Clock,
    reason: NoAnswer | None,
    prompt: Prompt | None = None,
) -> Answer:
    return Answer(
        id=_id(),
        support=Support(elements.no_answer, [], []),
        contexts=contexts,
        answer_mode="extracted",
        finish_reason="no_answer",
        no_answer_reason=reason,
        prompt=prompt or Prompt(),
        prompt_tokens=0,
        completion_tokens=0,
        model=None,
        timings_ms=clock.stop(),
    )


def _elements(question: Question) -> PromptElements:
    elements = default_elements(question.input)
    return replace(
        elements,
        instruction=question.instruction or elements.instruction,
        output_indicator=question.output_indicator or elements.output_indicator,
    )


def _id() -> str:
    return f"qry_{secrets.token_hex(12)}"


def _fence() -> str:
    return f"source-{secrets.token_hex(4)}"


def _ms(seconds: float) -> float:
    return round(seconds * 1000, 2)

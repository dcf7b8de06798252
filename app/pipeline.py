"""The way of a question: embed, search, assemble the prompt, generate, check the citations, answer."""

from __future__ import annotations

import secrets
from collections.abc import AsyncGenerator, Iterator, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field, replace
from typing import Literal

from app.budget import Prompt, assemble, assemble_without_engine
from app.citations import Citation, Support, cite
from app.clock import Clock, milliseconds
from app.extract import extract
from app.generation import Engine, Generation, Sampling
from app.prompts import PromptElements, default_elements
from app.retrieval import Retrieval, retrieve
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
    retrieval: Retrieval = field(default_factory=Retrieval)
    grounding: Grounding | None = None
    sampling: Sampling = field(default_factory=lambda: Sampling(max_tokens=256))


@dataclass(frozen=True, slots=True)
class Verdict:
    """An answer whose citations have been checked, or the reason why there is none."""

    support: Support
    mode: Literal["generated", "extracted"]
    no_answer_reason: NoAnswer | None = None


@dataclass(frozen=True, slots=True)
class Answer:
    id: str
    verdict: Verdict
    contexts: Sequence[Match]
    prompt: Prompt
    generation: Generation | None
    model: str | None
    timings_ms: dict[str, float]

    @property
    def finish_reason(self) -> Literal["stop", "length", "no_answer"]:
        if self.verdict.no_answer_reason is not None:
            return "no_answer"
        if self.generation is None or self.verdict.mode == "extracted":
            return "stop"
        return self.generation.finish_reason


@dataclass(frozen=True, slots=True)
class Retrieved:
    contexts: Sequence[Match]


@dataclass(frozen=True, slots=True)
class Delta:
    text: str


Step = Retrieved | Delta | Citation | Answer


async def answer(services: Services, tenant: Tenant, question: Question) -> Answer:
    """Raises EngineUnavailable, or InvalidInput if the question does not fit the model."""
    async with aclosing(answer_in_steps(services, tenant, question)) as steps:
        async for step in steps:
            if isinstance(step, Answer):
                return step
    raise AssertionError("the last step is the answer")


async def answer_in_steps(services: Services, tenant: Tenant, question: Question) -> AsyncGenerator[Step]:
    """What is retrieved, the text as it is generated, the citations, and last the whole. Raises as answer() does."""
    clock = Clock()
    found = await retrieve(services, tenant, question.input, question.retrieval, clock)
    yield Retrieved(found.matches)
    if found.matches and services.engine is not None:
        async with aclosing(_generated(services, services.engine, tenant, question, found.matches, clock)) as steps:
            async for step in steps:
                yield step
        return
    elements = _elements(question)
    if found.matches:
        verdict = _extracted(question, elements, found.matches)
    else:
        verdict = _declined(elements, "below_min_score" if found.below else "nothing_retrieved")
    for step in _told(_answer(clock, found.matches, verdict)):
        yield step


async def _generated(
    services: Services, engine: Engine, tenant: Tenant, question: Question, matches: Sequence[Match], clock: Clock
) -> AsyncGenerator[Step]:
    """A text that may be replaced or refused after its check comes after it."""
    elements = _elements(question)
    model = (await engine.served()).model
    # The packaged toy model invents; nobody should read its inventions unasked.
    default: Grounding = services.settings.grounding or ("extract" if model == PACKAGED_MODEL else "mark")
    grounding = question.grounding or default
    stands = grounding in ("mark", "off")
    with clock.step("prompt"):
        max_tokens = question.sampling["max_tokens"]
        prompt = await assemble(engine, elements, matches, question.input, max_tokens=max_tokens)
    generation: Generation | None = None
    with clock.step("generate"):
        async with aclosing(engine.generate(prompt.messages, question.sampling, tenant=tenant.number)) as parts:
            async for part in parts:
                if isinstance(part, Generation):
                    generation = part
                elif stands:
                    yield Delta(part)
    assert generation is not None
    clock.ms["first_token"] = milliseconds(generation.first_token_s)
    verdict = _checked(question, elements, prompt.contexts, generation, grounding)
    whole = replace(_answer(clock, prompt.contexts, verdict, prompt), generation=generation, model=model)
    for step in _told(whole, already=stands):
        yield step


def _told(whole: Answer, *, already: bool = False) -> Iterator[Step]:
    support = whole.verdict.support
    if not already:
        yield Delta(support.answer)
    yield from support.citations
    yield whole


async def dry_run(services: Services, tenant: Tenant, question: Question) -> Prompt:
    """The prompt as it would be sent, without generating."""
    elements = _elements(question)
    found = await retrieve(services, tenant, question.input, question.retrieval, Clock())
    if services.engine is None:
        return assemble_without_engine(elements, found.matches, question.input)
    max_tokens = question.sampling["max_tokens"]
    return await assemble(services.engine, elements, found.matches, question.input, max_tokens=max_tokens)


def _checked(
    question: Question,
    elements: PromptElements,
    contexts: Sequence[Match],
    generation: Generation,
    grounding: Grounding,
) -> Verdict:
    """What no source supports is marked, replaced by the extractive answer, or refused."""
    support = cite(generation.text, contexts, question.input)
    if grounding == "off":
        return Verdict(replace(support, unsupported=[]), "generated")
    supported = bool(support.citations) and not support.unsupported
    if grounding == "mark" or (grounding == "refuse" and supported):
        return Verdict(support, "generated")
    if grounding == "refuse":
        return _declined(elements, "model_declined")
    extracted = _extracted(question, elements, contexts)
    # A small model also copies sentences that are in the sources and answer nothing, orders to it among them.
    if supported and _rest_on_the_same(support, extracted.support):
        return Verdict(support, "generated")
    return extracted


def _rest_on_the_same(one: Support, other: Support) -> bool:
    """Every passage that one cites is within one that other cites."""
    return all(any(_within(cited, quoted) for quoted in other.citations) for cited in one.citations)


def _within(inner: Citation, outer: Citation) -> bool:
    return (
        inner.match.chunk_id == outer.match.chunk_id
        and outer.chunk_span.start <= inner.chunk_span.start
        and inner.chunk_span.end <= outer.chunk_span.end
    )


def _extracted(question: Question, elements: PromptElements, contexts: Sequence[Match]) -> Verdict:
    support = extract(question.input, contexts)
    return Verdict(support, "extracted") if support else _declined(elements, "model_declined")


def _declined(elements: PromptElements, reason: NoAnswer) -> Verdict:
    return Verdict(Support(elements.no_answer, [], []), "extracted", reason)


def _answer(clock: Clock, contexts: Sequence[Match], verdict: Verdict, prompt: Prompt | None = None) -> Answer:
    return Answer(
        id=f"qry_{secrets.token_hex(12)}",
        verdict=verdict,
        contexts=contexts,
        prompt=prompt or Prompt(),
        generation=None,
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

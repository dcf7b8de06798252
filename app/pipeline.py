"""The way of a question: choose prompt and adapter, embed, search, assemble, generate, check the citations, answer."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncGenerator, Iterator, Sequence
from contextlib import aclosing
from dataclasses import dataclass, replace

from app.adapters import activation
from app.adapters.activation import AUTO
from app.adapters.folders import adapter_of
from app.adapters.registry import AdapterVersion
from app.concurrency import in_background
from app.errors import InvalidInput, Unavailable
from app.generation.chat import ChatRequest
from app.generation.completion import Generation
from app.generation.engine import Engine
from app.grounding.guard import Case, NoAnswer, Verdict, declined, judge, quoted
from app.prompting import stored_prompts
from app.prompting.elements import Grounding, PromptElements, elements_for
from app.prompting.json_schema import check, or_declined
from app.prompting.query_rewriting import standalone
from app.prompting.reply import Reply
from app.prompting.stored_prompts import StoredPrompt
from app.prompting.token_budget import Asked, Prompt, assemble, assemble_without_engine, token_counts
from app.questions import Answer, Delta, Preview, Question, Retrieved, Step
from app.retrieval.match import Match
from app.retrieval.search import Found
from app.services import Services
from app.settings import PACKAGED_MODEL
from app.storage.tenants import Tenant
from app.timings import StepTimer, milliseconds


@dataclass(frozen=True, slots=True)
class _Prepared:
    """A question with its prompt and adapter chosen and its sources found."""

    question: Question
    stored: StoredPrompt | None
    adapter: AdapterVersion | None
    elements: PromptElements
    asked: Asked
    search_query: str
    found: Found
    clock: StepTimer

    def case(self, contexts: Sequence[Match]) -> Case:
        return Case(self.question.input, self.search_query, contexts, self.elements.no_answer_text)

    def answer(self, contexts: Sequence[Match], verdict: Verdict, prompt: Prompt | None = None) -> Answer:
        return Answer(
            id=f"qry_{secrets.token_hex(12)}",
            verdict=verdict,
            contexts=contexts,
            prompt=prompt or Prompt(),
            stored=self.stored,
            search_query=self.search_query,
            timings_ms=self.clock.stop(),
        )

    async def extracted(self) -> Answer:
        matches = self.found.matches
        return self.answer(matches, await asyncio.to_thread(quoted, self.case(matches)))


async def answer(services: Services, tenant: Tenant, question: Question) -> Answer:
    """Raises EngineUnavailable, Overloaded, TooManyRequests, or InvalidInput if the question does not fit the model."""
    async with aclosing(answer_in_steps(services, tenant, question)) as steps:
        async for step in steps:
            if isinstance(step, Answer):
                return step
    raise AssertionError("the last step is the answer")


async def answer_in_steps(services: Services, tenant: Tenant, question: Question) -> AsyncGenerator[Step]:
    """What is retrieved, the text as it is generated, the citations, and last the whole. Raises as answer() does."""
    if question.schema is not None:
        check(question.schema)
        if services.engine is None:
            raise InvalidInput("Only an engine can keep to a schema, and there is none.", pointer="/response_format")
    if services.engine is not None:
        services.engine.refuse_if_full(tenant.number)
    ready = await _prepare(services, tenant, question)
    matches = ready.found.matches
    yield Retrieved(matches)
    if not matches:
        reason: NoAnswer = "below_min_score" if ready.found.dropped_by_min_score else "nothing_retrieved"
        whole = ready.answer([], declined(ready.case([]), reason))
    elif services.engine is None:
        whole = await ready.extracted()
    else:
        async with aclosing(_with_fallback(services, services.engine, tenant, ready)) as steps:
            async for step in steps:
                yield step
        return
    for step in _told(whole):
        yield step


async def dry_run(services: Services, tenant: Tenant, question: Question) -> Preview:
    """The prompt as it would be sent, without generating."""
    ready = await _prepare(services, tenant, question)
    if services.engine is None:
        prompt = assemble_without_engine(ready.elements, ready.found.matches, ready.asked)
    else:
        prompt = await assemble(services.engine, ready.elements, ready.found.matches, ready.asked)
        tokens = await token_counts(services.engine, ready.elements, prompt, question.input)
        tokens["total"] = await services.engine.count_message_tokens(prompt.messages)
        prompt = replace(prompt, tokens=tokens)
    return Preview(prompt, ready.stored, ready.search_query)


async def _prepare(services: Services, tenant: Tenant, question: Question) -> _Prepared:
    clock = StepTimer()
    query = question.input
    async with in_background(_chosen(services, tenant, question)) as choosing:
        if question.turns:
            with clock.step("condense"):
                query = await standalone(services.engine, tenant.number, question.turns, question.input)
        found = await services.retriever.search(tenant.number, query, question.retrieval, clock)
        stored, adapter = await choosing
    elements = elements_for(question.input, *([stored.elements] if stored else []), question.own)
    if question.schema is not None:
        # Nothing but JSON may be written, so there is no room to think aloud.
        elements = replace(elements, reasoning=False)
    asked = Asked(question.input, question.turns)
    return _Prepared(question, stored, adapter, elements, asked, query, found, clock)


async def _chosen(
    services: Services, tenant: Tenant, question: Question
) -> tuple[StoredPrompt | None, AdapterVersion | None]:
    async with services.database.snapshot(tenant.number) as snapshot:
        stored = await stored_prompts.resolve(snapshot.connection, tenant.number, question.prompt)
        if services.engine is None and question.adapter == AUTO:
            return stored, None
        adapter = await activation.resolve(snapshot.connection, tenant.number, question.adapter)
    if services.engine is None and adapter is not None:
        raise InvalidInput("Only an engine can use an adapter, and there is none.", pointer="/adapter")
    return stored, adapter


async def _with_fallback(services: Services, engine: Engine, tenant: Tenant, ready: _Prepared) -> AsyncGenerator[Step]:
    """While nothing has been shown yet, the sources' own sentences can take the place of an engine that fails."""
    shown = False
    try:
        async with aclosing(_generated(services, engine, tenant, ready)) as steps:
            async for step in steps:
                yield step
                shown = True
    except Unavailable as error:
        if shown or services.settings.fallback == "none" or ready.question.schema is not None:
            raise
        whole = replace(await ready.extracted(), fallback=error.code)
    else:
        return
    for step in _told(whole):
        yield step


async def _generated(services: Services, engine: Engine, tenant: Tenant, ready: _Prepared) -> AsyncGenerator[Step]:
    """A text that may be replaced or refused after its check comes after it."""
    model = (await engine.served()).model
    grounding = _grounding(services, ready, model)
    stands = grounding in ("mark", "off")
    with ready.clock.step("prompt"):
        prompt = await assemble(engine, ready.elements, ready.found.matches, ready.asked)
    reply = Reply(structured=ready.question.schema is not None)
    generation: Generation | None = None
    begun = asyncio.Event()
    counts = token_counts(engine, ready.elements, prompt, ready.question.input, after=begun)
    async with in_background(counts) as counting:
        with ready.clock.step("generate"):
            async with aclosing(_parts(services, engine, tenant, ready, prompt)) as parts:
                async for part in parts:
                    begun.set()
                    if isinstance(part, Generation):
                        generation = part
                    elif (text := reply.feed(part)) and stands:
                        yield Delta(text)
        assert generation is not None
        prompt = replace(prompt, tokens={**await counting, "total": generation.prompt_tokens})
    if (text := reply.end()) and stands:
        yield Delta(text)
    ready.clock.ms["first_token"] = milliseconds(generation.first_token_s)
    case, written = ready.case(prompt.contexts), reply.answer.strip()
    if written:
        verdict = await asyncio.to_thread(judge, case, written, grounding)
    else:
        verdict = declined(case, "model_declined", "generated")
    whole = ready.answer(prompt.contexts, verdict, prompt)
    reasoning = generation.reasoning or reply.reasoning.strip()
    used = f"{ready.adapter.name}@{ready.adapter.version}" if ready.adapter else None
    whole = replace(whole, generation=generation, reasoning=reasoning, model=model, adapter=used)
    for step in _told(whole, already=stands and bool(written)):
        yield step


def _parts(
    services: Services, engine: Engine, tenant: Tenant, ready: _Prepared, prompt: Prompt
) -> AsyncGenerator[str | Generation]:
    schema = ready.question.schema
    request = ChatRequest(
        prompt.messages,
        ready.elements.sampling,
        tenant=tenant.number,
        schema=or_declined(schema) if schema is not None else None,
        adapter=adapter_of(services.settings, tenant.number, ready.adapter.engine_name) if ready.adapter else None,
    )
    return engine.generate(request)


def _grounding(services: Services, ready: _Prepared, model: str) -> Grounding:
    # The packaged toy model invents; nobody should read its inventions unasked.
    chosen = ready.elements.grounding or services.settings.grounding
    default: Grounding = chosen or ("extract" if model == PACKAGED_MODEL else "mark")
    # A sentence out of the sources keeps to no schema.
    return "refuse" if default == "extract" and ready.question.schema is not None else default


def _told(whole: Answer, *, already: bool = False) -> Iterator[Step]:
    support = whole.verdict.support
    if not already:
        yield Delta(support.answer)
    yield from support.citations
    yield whole

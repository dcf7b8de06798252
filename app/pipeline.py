"""Answer a question in six steps: choose, rewrite the query, search, assemble, generate, check."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import replace

from app import tracing
from app.adapters import activation
from app.adapters.activation import AUTO
from app.adapters.folders import adapter_of
from app.concurrency import in_background
from app.errors import InvalidInput, Unavailable
from app.generation.chat import ChatRequest
from app.generation.completion import Generation
from app.generation.engine import Engine
from app.generation.messages import Sampling
from app.grounding.guard import GroundedAnswer, NoAnswerReason, about_the_shelf, check, extractive_answer, no_answer
from app.judgement import ask_whether_answered, review_draft
from app.language.shelf_questions import is_about_the_shelf
from app.prompting import stored_prompts
from app.prompting.decomposition import cut_by_engine
from app.prompting.elements import elements_for
from app.prompting.json_schema import allow_declining, validate_schema
from app.prompting.query_rewriting import rewrite_query
from app.prompting.reply import Reply
from app.prompting.token_budget import (
    Prompt,
    assemble,
    assemble_without_engine,
    count_tokens,
    counting_tokens,
    no_prompt,
)
from app.questions import Answer, AnswerEvent, Delta, Draft, Explanation, Plan, Preview, Question, Retrieved
from app.retrieval.in_turn import found_in_turn
from app.retrieval.search import Found
from app.services import Services
from app.storage.documents import first_titles
from app.storage.tenancy import TenantNumber
from app.storage.tenants import Tenant
from app.timings import StepTimer, milliseconds


async def answer(services: Services, tenant: Tenant, question: Question) -> Answer:
    """Raises EngineUnavailable, Overloaded, TooManyRequests, or InvalidInput if the question does not fit the model."""
    async with aclosing(answer_events(services, tenant, question)) as events:
        async for event in events:
            if isinstance(event, Answer):
                return event
    raise AssertionError("the last event is the answer")


async def answer_events(services: Services, tenant: Tenant, question: Question) -> AsyncGenerator[AnswerEvent]:
    """Yield what is retrieved, the text as it is generated, the citations, and last the whole. Raises as answer() does.

    While no text has been shown, the sources' own sentences can take the place of an engine that fails.
    """
    engine, timer = services.engine, StepTimer()
    await _refuse_at_once(services, tenant.number, question)
    question = await _decomposed(services, tenant.number, question, timer)
    async with in_background(_choose(services, tenant.number, question)) as choosing:
        query, found, titles = await _retrieve(services, tenant.number, question, timer)
        plan = await choosing
    yield Retrieved(found.matches)
    draft = Draft(plan, query, found, no_prompt(question.dialogue), titles=titles)
    if engine is not None and found.matches:
        try:
            draft.served = await engine.served()
            draft.grounding = plan.grounding_of(draft.served)
            with timer.step("prompt"):
                draft.prompt = await assemble(engine, plan.elements, found.matches, question.dialogue)
            await ask_whether_answered(services, engine, tenant.number, draft, timer)
            if not draft.is_refused:
                async with aclosing(_generate(engine, tenant.number, draft, timer)) as deltas:
                    async for delta in deltas:
                        draft.shown += delta.text
                        yield delta
        except Unavailable as error:
            if draft.shown or services.settings.fallback == "none" or question.schema is not None:
                raise
            draft = Draft(plan, query, found, no_prompt(question.dialogue), fallback=error.code)
    await review_draft(services, tenant.number, draft, timer)
    for event in await asyncio.to_thread(_check, draft, timer):
        yield event


async def _retrieve(
    services: Services, tenant: TenantNumber, question: Question, timer: StepTimer
) -> tuple[str, Found, list[str] | None]:
    """Return what was searched for, what was found, and titles instead if the question is about the shelf."""
    if is_about_the_shelf(question.input):
        return question.input, Found([], False), await first_titles(services.database, tenant, question.search.where)
    query, options = await rewrite_query(services.engine, tenant, question.dialogue, timer), question.search
    asked = question.parts or [query]
    each = [await services.retriever.search(tenant, part, replace(options, copies=False), timer) for part in asked]
    return query, each[0] if len(each) == 1 else found_in_turn(each, options.top_k), None


async def _decomposed(services: Services, tenant: TenantNumber, question: Question, timer: StepTimer) -> Question:
    if question.decompose != "engine" or question.turns or is_about_the_shelf(question.input):
        return question
    return replace(question, asked_apart=await cut_by_engine(services.engine, tenant, question.input, timer))


async def dry_run(services: Services, tenant: Tenant, question: Question) -> Preview:
    """Return the prompt as it would be sent, without generating."""
    engine, timer = services.engine, StepTimer()
    question = await _decomposed(services, tenant.number, question, timer)
    plan = await _choose(services, tenant.number, question)
    query, found, _ = await _retrieve(services, tenant.number, question, timer)
    if engine is None:
        prompt = await asyncio.to_thread(assemble_without_engine, plan.elements, found.matches, question.dialogue)
    else:
        prompt = await assemble(engine, plan.elements, found.matches, question.dialogue)
        prompt = replace(prompt, tokens=await count_tokens(engine, plan.elements, prompt, question.input))
    explanation = Explanation.of(plan, found, prompt)
    return Preview(prompt, found.matches[: prompt.used_contexts], plan.stored, query, explanation)


async def _refuse_at_once(services: Services, tenant: TenantNumber, question: Question) -> None:
    engine = services.engine
    if question.check == "model" and services.checker is None:
        raise InvalidInput("There is no checker: set KYUJANG_CHECKER, or leave it out.", pointer="/grounding_check")
    if question.min_answerability and engine is None:
        raise InvalidInput("Only an engine can judge this, and there is none.", pointer="/min_answerability")
    if question.schema is not None and engine is None:
        raise InvalidInput("Only an engine can keep to a schema, and there is none.", pointer="/response_format")
    if engine is not None:
        engine.refuse_if_full(tenant)
    if question.schema is not None:
        await asyncio.to_thread(validate_schema, question.schema)


async def _choose(services: Services, tenant: TenantNumber, question: Question) -> Plan:
    """Choose the stored prompt, the adapter, the prompt's elements and the grounding."""
    adapter = None
    async with services.database.snapshot(tenant) as snapshot:
        stored = await stored_prompts.resolve(snapshot.connection, tenant, question.prompt)
        if services.engine is not None or question.adapter != AUTO:
            adapter = await activation.resolve(snapshot.connection, tenant, question.adapter)
    if services.engine is None and adapter is not None:
        raise InvalidInput("Only an engine can use an adapter, and there is none.", pointer="/adapter")
    elements = elements_for(
        question.input, *([stored.elements] if stored else []), question.overrides, language=question.language
    )
    if question.schema is not None:
        # Nothing but JSON may be written, so there is no room to think aloud.
        elements = replace(elements, reasoning=False)
    loadable = adapter_of(services.settings, services.storage, adapter.published(tenant)) if adapter else None
    return Plan(question, stored, adapter, loadable, elements, elements.grounding or services.settings.grounding)


async def _generate(engine: Engine, tenant: TenantNumber, draft: Draft, timer: StepTimer) -> AsyncGenerator[Delta]:
    """Complete the draft. Yield the text as it comes and its markers once they are checked, unless the check of the
    whole may replace or refuse it."""
    plan, begun = draft.plan, asyncio.Event()
    question = plan.question
    draft.reply = Reply(structured=question.schema is not None)
    draft.checker = draft.new_checker()
    schema = allow_declining(question.schema) if question.schema is not None else None
    sampling: Sampling = {**plan.elements.sampling, "max_tokens": draft.prompt.max_tokens}
    request = ChatRequest(draft.prompt.messages, sampling, tenant, schema, plan.loadable)
    async with counting_tokens(engine, plan.elements, draft.prompt, question.input, after=begun) as counts:
        with timer.step("generate", yields=True):
            async with aclosing(engine.generate(request)) as parts:
                async for part in parts:
                    begun.set()
                    if isinstance(part, Generation):
                        draft.generation = part
                    elif (text := await draft.feed(part)) and draft.stands:
                        yield Delta(text)
        assert draft.generation is not None
        draft.prompt = replace(draft.prompt, tokens={**await counts, "total": draft.generation.prompt_tokens})
    draft.checker.feed(draft.reply.end())
    timer.ms["first_token"] = milliseconds(draft.generation.first_token_s)


def _check(draft: Draft, timer: StepTimer) -> list[AnswerEvent]:
    """Check what the draft says. Return what of its text has not been shown, the citations, and the answer."""
    with tracing.span("citation check"):
        plan, grounded = draft.plan, _grounded(draft)
    answer = Answer(
        id=f"qry_{secrets.token_hex(12)}",
        grounded=grounded,
        contexts=draft.contexts,
        prompt=draft.prompt,
        stored=plan.stored,
        search_query=draft.query,
        timings_ms=timer.stop(),
        generation=draft.generation,
        reasoning=(draft.generation.reasoning if draft.generation else "") or draft.reply.reasoning.strip(),
        model=draft.served.model if draft.served else None,
        adapter=plan.adapter.reference if draft.served and plan.adapter else None,
        fallback=draft.fallback,
        answerability=draft.answerability,
        review=draft.review,
        checked=draft.generation is None or (draft.grounding != "off" and plan.question.schema is None),
        explanation=Explanation.of(plan, draft.found, draft.prompt if draft.generation else Prompt()),
    )
    return [*map(Delta, draft.rest_of(grounded.text)), *grounded.citations, answer]


def _grounded(draft: Draft) -> GroundedAnswer:
    if draft.titles is not None:
        return about_the_shelf(draft.plan.elements, draft.titles)
    refusal, questions, parts = draft.plan.elements.no_answer_text, draft.questions, draft.plan.question.parts
    if not draft.found.matches:
        reason: NoAnswerReason = "below_min_score" if draft.found.dropped_by_min_score else "nothing_retrieved"
        return no_answer(reason, refusal)
    if draft.is_refused:
        return no_answer("not_answered_here", refusal, mode="generated")
    if draft.generation is None:
        return extractive_answer(draft.contexts, questions, no_answer_text=refusal, parts=parts)
    if not draft.text:
        return no_answer("model_declined", refusal, mode="generated")
    support = draft.review.support if draft.review else draft.finish()
    return check(support, draft.contexts, questions, draft.grounding, no_answer_text=refusal, parts=parts)

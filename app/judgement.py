"""Have models judge where a question asks for it: whether its sources hold an answer, and what an answer says."""

from __future__ import annotations

import asyncio

from app.generation.engine import Engine
from app.generation.messages import Message
from app.grounding.answerability import answerability
from app.grounding.check_model import ModelJudge
from app.grounding.judge import EngineJudge, GroundingCheck, Judge, review
from app.language.question_language import language_of
from app.questions import Draft
from app.services import Services
from app.storage.tenancy import TenantNumber
from app.timings import StepTimer


async def ask_whether_answered(
    services: Services, engine: Engine, tenant: TenantNumber, draft: Draft, timer: StepTimer
) -> None:
    """Have the engine judge whether the sources hold an answer, where that is asked for. Raises Unavailable."""
    question, elements = draft.plan.question, draft.plan.elements
    least = question.min_answerability
    least = services.settings.min_answerability if least is None else least
    if not least:
        return
    with timer.step("answerability"):
        language = question.language or language_of(question.input)
        draft.answerability = await answerability(engine, tenant, elements, draft.prompt.messages, language)
    draft.is_refused = draft.answerability.is_below(least)


async def review_draft(services: Services, tenant: TenantNumber, draft: Draft, timer: StepTimer) -> None:
    """Have a model look at what the words of the sources leave open, where that is asked for."""
    question, settings = draft.plan.question, services.settings
    how = question.check or settings.grounding_check
    is_text = draft.generation is not None and draft.text and question.schema is None
    if how == "lexical" or draft.grounding == "off" or not is_text:
        return
    with timer.step("check"):
        if (judge := await asyncio.to_thread(_judge, services, tenant, draft, how)) is None:
            return
        support = await asyncio.to_thread(draft.finish)
        timeout_s = settings.grounding_check_timeout_s
        draft.review = await review(judge, support, draft.contexts, how, timeout_s=timeout_s)


def _judge(services: Services, tenant: TenantNumber, draft: Draft, how: GroundingCheck) -> Judge | None:
    """Return the small model where there is one that knows the languages, else the engine; None for `model` then."""
    sources = [match.text for match in draft.contexts]
    if services.checker is not None and how != "engine" and services.checker.knows([draft.text, *sources]):
        return ModelJudge(services.checker, tenant, sources)
    if services.engine is None or how == "model":
        return None
    answered: list[Message] = [*draft.prompt.messages, {"role": "assistant", "content": draft.text}]
    return EngineJudge(services.engine, tenant, answered)

"""Measure the answers to a tenant's own cases, in one way of answering or in several, by the whole pipeline."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping, Sequence
from typing import Any

from app import pipeline
from app.adapters.activation import AUTO
from app.errors import InvalidInput, NotFound
from app.evaluation.answer_measures import Case, measures
from app.evaluation.answer_report import Asked, Outcome, report_of
from app.evaluation.judging import Sample, Trust, trust
from app.generation.messages import Sampling
from app.prompting.elements import Overrides
from app.questions import Question
from app.retrieval.search import SearchOptions
from app.services import Services
from app.storage.tenants import SCOPES, Tenant
from ingest.evaluation.judge import AnswerJudge
from ingest.jobs import queue
from ingest.jobs.queue import ClaimedTask, TaskFailed

# Of the cases done so far; a worker that takes over goes on from there.
KEPT_EVERY = 5
SEARCH = ("top_k", "mode", "min_score", "rerank", "per_document", "neighbours")
ELEMENTS = ("instruction", "output_indicator", "persona", "reasoning", "grounding")
SAMPLED = ("temperature", "top_p", "max_tokens")


async def evaluate_answers(services: Services, task: ClaimedTask) -> None:
    """Put the report into the task's result.

    Raises LeaseLost, TaskFailed, Unavailable while the engine does not answer, or TurnOver while another tenant waits.
    """
    spec, tenant = task.spec, Tenant(task.tenant, str(task.tenant), frozenset(SCOPES))
    judge = _judge(services, task)
    cases = [Case.model_validate(each) for each in spec["cases"]]
    done = await asyncio.to_thread(_done_before, task)
    for case in cases[len(done) :]:
        done.append(await _asked(services, tenant, case, spec, judge))
        if len(done) % KEPT_EVERY == 0:
            await _keep(services, task, done, len(cases))
            await queue.give_way(services.database, task.tenant, "evaluate")
    trusted = await _trusted(judge, spec) if judge else None
    await queue.record(services.database, task, progress={"done": len(done), "total": len(cases)})
    report = await asyncio.to_thread(_report, spec, done, trusted)
    await queue.finish(services.database, task, report)


def _judge(services: Services, task: ClaimedTask) -> AnswerJudge | None:
    if task.spec["judge"] is None:
        return None
    if services.engine is None:
        raise TaskFailed("no_engine", "Only an engine can judge, and there is none.")
    return AnswerJudge(services.engine, task.tenant)


def _done_before(task: ClaimedTask) -> list[Asked]:
    return [Asked.model_validate(each) for each in (task.progress or {}).get("cases", [])]


async def _keep(services: Services, task: ClaimedTask, done: Sequence[Asked], total: int) -> None:
    cases = await asyncio.to_thread(lambda: [each.model_dump(mode="json") for each in done])
    await queue.record(services.database, task, progress={"done": len(done), "total": total, "cases": cases})


async def _asked(
    services: Services, tenant: Tenant, case: Case, spec: Mapping[str, Any], judge: AnswerJudge | None
) -> Asked:
    """Ask in each way in turn, so that what changes meanwhile meets them alike."""
    ways: list[list[Outcome]] = [[] for _ in spec["compare"]]
    for repeat in range(spec["repeats"]):
        for settings, outcomes in zip(spec["compare"], ways, strict=True):
            seed = repeat if spec["repeats"] > 1 else None
            outcome = await _outcome(services, tenant, case, question_of(case, settings, seed))
            if judge is not None and case.answerable and case.expected and outcome.error is None:
                refused = outcome.no_answer_reason is not None
                right = not refused and await judge.is_right(case.input, case.expected, outcome.answer)
                outcome.measures["judged"] = float(right)
            outcomes.append(outcome)
    return Asked(case=case, ways=ways)


def question_of(case: Case, settings: Mapping[str, Any], seed: int | None) -> Question:
    """Return the question with these settings, named as in POST /query; what they leave out is as there."""
    sampling = {name: settings[name] for name in SAMPLED if name in settings}
    if seed is not None:
        sampling["seed"] = seed
    elements = {name: settings[name] for name in ELEMENTS if name in settings}
    return Question(
        case.input,
        SearchOptions(**{"top_k": 5} | {name: settings[name] for name in SEARCH if name in settings}),
        prompt=settings.get("prompt"),
        overrides=Overrides(**elements, sampling=Sampling(**sampling)),  # type: ignore[typeddict-item]
        adapter=settings.get("adapter", AUTO),
        language=settings.get("language"),
        check=settings.get("grounding_check"),
        min_answerability=settings.get("min_answerability"),
        decompose=settings.get("decompose", False),
    )


async def _outcome(services: Services, tenant: Tenant, case: Case, question: Question) -> Outcome:
    started = time.perf_counter()
    try:
        answer = await pipeline.answer(services, tenant, question)
    except (InvalidInput, NotFound) as error:
        # This case's or these settings' own fault, such as a prompt that is not there.
        failed = dict.fromkeys(measures(case, "", [], refused=False), 0.0)
        return Outcome(error=error.detail, measures=failed)
    grounded, seconds = answer.grounded, time.perf_counter() - started
    cited = list(dict.fromkeys(each.match.document_id for each in grounded.citations))
    refused = answer.finish_reason == "no_answer"
    return Outcome(
        answer=grounded.text,
        no_answer_reason=grounded.no_answer_reason,
        answer_mode=grounded.mode,
        cited=cited,
        unsupported=len(grounded.unsupported),
        seconds=round(seconds, 3),
        measures=await asyncio.to_thread(measures, case, grounded.text, cited, refused=refused),
    )


async def _trusted(judge: AnswerJudge, spec: Mapping[str, Any]) -> Trust | None:
    samples = [Sample.model_validate(each) for each in spec["judge"]["samples"]]
    said = [await judge.is_right(each.input, each.expected, each.answer) for each in samples]
    return trust(samples, said) if samples else None


def _report(spec: Mapping[str, Any], done: Sequence[Asked], trusted: Trust | None) -> dict[str, Any]:
    return report_of(spec["compare"], done, spec["repeats"], trusted).model_dump(mode="json")

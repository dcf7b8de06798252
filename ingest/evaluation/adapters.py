"""Compare an adapter with the base model: ask the tenant's own cases without it and with it, by the whole pipeline."""

from __future__ import annotations

import statistics
import time
from collections.abc import Sequence
from typing import Any

from app import pipeline
from app.adapters import registry
from app.adapters.activation import NONE
from app.errors import InvalidInput, NotFound
from app.evaluation.overlap import contains, exact, f1
from app.generation.messages import Sampling
from app.language.hangul import HAS_HANGUL
from app.prompting.elements import Overrides
from app.questions import Answer, Question
from app.retrieval.search import SearchOptions
from app.services import Services
from app.storage.tenants import SCOPES, Tenant
from ingest.jobs import queue
from ingest.jobs.queue import ClaimedTask

BASE, ADAPTER = WAYS = ("base", "adapter")
# Of the cases done so far; a worker that takes over goes on from there.
KEPT_EVERY = 5


async def evaluate_adapter(services: Services, task: ClaimedTask) -> None:
    """Put the report into the task's result.

    Raises LeaseLost, Unavailable while the engine does not answer, or TurnOver while another tenant's cases wait.
    """
    adapter = await registry.get(services.database, task.tenant, task.name, task.version)
    reference = adapter.reference
    tenant = Tenant(task.tenant, str(task.tenant), frozenset(SCOPES))
    cases: list[dict[str, Any]] = task.spec["cases"]
    done: list[dict[str, Any]] = (task.progress or {}).get("cases", [])
    for number in range(len(done), len(cases)):
        case = cases[number]
        both = {
            way: await _asked(services, tenant, case, NONE if way == BASE else reference, task.spec) for way in WAYS
        }
        done.append({"input": case["input"], "expected": _expected(case), **both})
        if len(done) % KEPT_EVERY == 0:
            await queue.record(services.database, task, progress={**_counted(done, cases), "cases": done})
            await queue.give_way(services.database, task.tenant, "evaluate")
    await queue.record(services.database, task, progress=_counted(done, cases))
    await queue.finish(services.database, task, report(reference, done))


def _counted(done: Sequence[Any], cases: Sequence[Any]) -> dict[str, Any]:
    return {"done": len(done), "total": len(cases)}


async def _asked(
    services: Services, tenant: Tenant, case: dict[str, Any], adapter: str, spec: dict[str, Any]
) -> dict[str, Any]:
    sampling = Sampling(max_tokens=spec["max_tokens"]) if spec["max_tokens"] else Sampling()
    overrides = Overrides(grounding=spec["grounding"], sampling=sampling)
    question = Question(case["input"], SearchOptions(top_k=spec["top_k"]), overrides=overrides, adapter=adapter)
    started = time.perf_counter()
    try:
        answer = await pipeline.answer(services, tenant, question)
    except (InvalidInput, NotFound) as error:
        # This case's own fault, such as a question too long for the model.
        return {"error": error.detail}
    return _outcome(answer, _expected(case), time.perf_counter() - started)


def _outcome(answer: Answer, expected: Sequence[str], seconds: float) -> dict[str, Any]:
    text = answer.grounded.text
    outcome: dict[str, Any] = {
        "answer": text,
        "answer_mode": answer.grounded.mode,
        "refused": answer.finish_reason == "no_answer",
        "cited": len(answer.grounded.citations),
        "unsupported": len(answer.grounded.unsupported),
        "seconds": round(seconds, 3),
    }
    if expected:
        said = "" if outcome["refused"] else text
        language = "ko" if HAS_HANGUL.search("".join(expected)) else "en"
        outcome |= {
            "exact_match": exact(said, expected, language),
            "f1": round(f1(said, expected, language), 4),
            "contains": contains(said, expected, language),
        }
    return outcome


def report(reference: str, cases: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Average over the cases that could be asked, and measures of answers over the cases with an expected one."""
    return {
        "adapter": reference,
        "cases": len(cases),
        "summary": {way: _summary([case[way] for case in cases]) for way in WAYS},
        "answers": list(cases),
    }


def _summary(outcomes: Sequence[dict[str, Any]]) -> dict[str, Any]:
    asked = [each for each in outcomes if "error" not in each]
    judged = [each for each in asked if "f1" in each]
    measured = {name: _mean(judged, name) for name in ("exact_match", "f1", "contains")}
    seconds = sorted(each["seconds"] for each in asked)
    return {
        **measured,
        "refused": _mean(asked, "refused"),
        "unsupported": _mean(asked, "unsupported"),
        "seconds_p50": statistics.median(seconds) if seconds else None,
        "seconds_p95": seconds[min(len(seconds) - 1, int(0.95 * len(seconds)))] if seconds else None,
        "errors": len(outcomes) - len(asked),
    }


def _mean(outcomes: Sequence[dict[str, Any]], name: str) -> float | None:
    return round(statistics.fmean(each[name] for each in outcomes), 4) if outcomes else None


def _expected(case: dict[str, Any]) -> list[str]:
    expected = case["expected"] or []
    return [expected] if isinstance(expected, str) else expected

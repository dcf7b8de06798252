"""What an evaluation of answers found: each way of answering, and how the others differ from the first. Pure."""

from __future__ import annotations

import statistics
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from pydantic import Field

from app.evaluation.answer_measures import NAMES, Case
from app.evaluation.judging import Trust, corrected
from app.evaluation.metrics import Values
from app.evaluation.paired import Difference, Score, difference, score
from app.evaluation.questions import BadFile
from app.evaluation.report import Part


class Outcome(Part):
    """One answer, or the `error` for which there is none."""

    answer: str = ""
    no_answer_reason: str | None = None
    answer_mode: str | None = None
    cited: list[str] = Field([])
    unsupported: int = 0
    seconds: float = 0
    measures: dict[str, float] = Field({})
    error: str | None = None


class Asked(Part):
    """A case with what each way made of it, once for each repetition."""

    case: Case
    ways: list[list[Outcome]]


class Way(Part):
    """`settings` are those that it was asked with; `refused` counts the reasons."""

    settings: dict[str, Any]
    measures: dict[str, Score]
    refused: dict[str, int]
    errors: int
    seconds_p50: float | None
    seconds_p95: float | None
    judged_corrected: float | None = None


class Compared(Part):
    """The way `way` less the way `against`."""

    way: int
    against: int
    measures: dict[str, Difference]


class AnswerReport(Part):
    """`judge` is how far the engine's judgements can be trusted, if it judged and samples were sent."""

    cases: int
    repeats: int
    ways: list[Way]
    comparisons: list[Compared]
    judge: Trust | None
    answers: list[Asked]


def report_of(
    settings: Sequence[Mapping[str, Any]], asked: Sequence[Asked], repeats: int, judge: Trust | None
) -> AnswerReport:
    scored = [_scored(asked, way) for way in range(len(settings))]
    return AnswerReport(
        cases=len(asked),
        repeats=repeats,
        ways=[_way(each, asked, way, scored[way], judge) for way, each in enumerate(settings)],
        comparisons=[
            Compared(way=way, against=0, measures=differences(scored[way], scored[0]))
            for way in range(1, len(settings))
        ],
        judge=judge,
        answers=list(asked),
    )


def since(now: AnswerReport, earlier: AnswerReport, name: str) -> dict[str, Difference]:
    """Compare the first ways of two reports over the cases that are the same in both. Raises BadFile without any."""
    before = {each.case.model_dump_json(): each for each in earlier.answers}
    both = [(each, before[key]) for each in now.answers if (key := each.case.model_dump_json()) in before]
    if not both:
        raise BadFile(f"{name} has none of these questions with the same labels.")
    ours, theirs = zip(*both, strict=True)
    return differences(_scored(ours, 0), _scored(theirs, 0))


Scored = Mapping[str, Mapping[int, float]]


def differences(now: Scored, before: Scored) -> dict[str, Difference]:
    """Compare each measure over the cases that have it in both."""
    found = {}
    for name in NAMES:
        both = sorted(now.get(name, {}).keys() & before.get(name, {}).keys())
        if both:
            found[name] = difference(*(_values([run[name][number] for number in both]) for run in (now, before)))
    return found


def _scored(asked: Sequence[Asked], way: int) -> Scored:
    """Return for each measure the number of each case that has it, with its mean over the repetitions."""
    found: dict[str, dict[int, float]] = {name: {} for name in NAMES}
    for number, each in enumerate(asked):
        for name in NAMES:
            values = [outcome.measures[name] for outcome in each.ways[way] if name in outcome.measures]
            if values:
                found[name][number] = statistics.fmean(values)
    return found


def _way(settings: Mapping[str, Any], asked: Sequence[Asked], way: int, scored: Scored, judge: Trust | None) -> Way:
    outcomes = [outcome for each in asked for outcome in each.ways[way]]
    seconds = sorted(each.seconds for each in outcomes if each.error is None)
    measured = {name: score(_values(list(values.values()))) for name, values in scored.items() if values}
    judged = measured.get("judged")
    return Way(
        settings=dict(settings),
        measures=measured,
        refused=dict(Counter(each.no_answer_reason for each in outcomes if each.no_answer_reason is not None)),
        errors=sum(each.error is not None for each in outcomes),
        seconds_p50=statistics.median(seconds) if seconds else None,
        seconds_p95=seconds[min(len(seconds) - 1, int(0.95 * len(seconds)))] if seconds else None,
        judged_corrected=corrected(judged.mean, judge) if judged and judge else None,
    )


def _values(values: Sequence[float]) -> Values:
    return np.array(values, np.float64)

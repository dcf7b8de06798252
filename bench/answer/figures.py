"""Shares of outcomes with their intervals, and the curves of refusal."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

import numpy as np
from pydantic import BaseModel

from app.evaluation.metrics import bootstrap
from app.evaluation.report import Estimate
from bench.answer.asking import Outcome

STEPS = 101

Of = Callable[[Outcome], float]


class Figures(BaseModel):
    """`shares` by name: of how many outcomes each is, and the mean with its interval."""

    shares: dict[str, tuple[int, Estimate]]
    seconds_p50: float


class Point(BaseModel):
    """What a knob at `value` does, as shares: `correct` is what is answered and holds the gold answer."""

    value: float
    answered: float
    correct: float
    refused: dict[str, float]


def figures(outcomes: Sequence[Outcome]) -> Figures:
    with_answer = [each for each in outcomes if each.kind is None]
    answered = [each for each in with_answer if not each.refused]
    cited = [each for each in answered if each.cited]
    shares: list[tuple[str, Sequence[Outcome], Of]] = [
        ("gold passage retrieved", with_answer, lambda each: each.found),
        ("answered", with_answer, lambda each: not each.refused),
        ("F1", with_answer, lambda each: each.f1),
        ("F1 of the answered", answered, lambda each: each.f1),
        ("gold contained", with_answer, lambda each: each.contains),
        ("gold contained, of the answered", answered, lambda each: each.contains),
        ("generated, of the answered", answered, lambda each: each.generated),
        ("with an unsupported sentence, of the answered", answered, lambda each: each.unsupported > 0),
        ("with citations, of the answered", answered, lambda each: each.cited > 0),
        ("a citation is gold, of the cited", cited, lambda each: each.cited_gold > 0),
        ("citation precision, a mean over the cited", cited, lambda each: each.cited_gold / each.cited),
        ("every citation is gold, of the cited", cited, lambda each: each.cited_gold == each.cited),
    ]
    shares += [
        (f"refused: {kind}", [each for each in outcomes if each.kind == kind], lambda each: each.refused)
        for kind in kinds(outcomes)
    ]
    return Figures(
        shares={name: (len(rows), _estimate(map(of, rows))) for name, rows, of in shares if rows},
        seconds_p50=float(np.median([each.seconds for each in outcomes])),
    )


def kinds(outcomes: Iterable[Outcome]) -> list[str]:
    return sorted({each.kind for each in outcomes if each.kind is not None})


def _estimate(values: Iterable[float]) -> Estimate:
    column = np.array([[float(value)] for value in values])
    low, high = bootstrap(column)
    return Estimate(mean=float(column.mean()), low=float(low[0]), high=float(high[0]))


def curve(outcomes: Sequence[Outcome], score: Of, correct: Of, *, guarded: bool) -> list[Point]:
    """From answering all to refusing all, as the least `score` of an answer rises. If `guarded`, what was refused
    anyway stays refused.

    An answer is taken to stay the same until it is refused, though a min_score also takes weaker contexts away.
    """
    scores = [score(each) for each in outcomes]
    values = np.unique(np.quantile(scores, np.linspace(0, 1, STEPS)))
    return [_point(outcomes, scores, correct, float(value), guarded) for value in values]


def _point(outcomes: Sequence[Outcome], scores: Sequence[float], correct: Of, value: float, guarded: bool) -> Point:
    rows = [
        (each, score >= value and not (guarded and each.refused)) for each, score in zip(outcomes, scores, strict=True)
    ]

    def share(of: Iterable[bool]) -> float:
        return float(np.mean(list(of)))

    return Point(
        value=value,
        answered=share(answers for each, answers in rows if each.kind is None),
        correct=share(answers and bool(correct(each)) for each, answers in rows if each.kind is None),
        refused={kind: share(not answers for each, answers in rows if each.kind == kind) for kind in kinds(outcomes)},
    )

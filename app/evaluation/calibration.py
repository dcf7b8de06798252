"""What a threshold on the best hit's score can do: its curve, its AUROC, and the one to propose. Pure.

A question is refused if its best hit scores less than `min_score`. The answerable ones refused are the cost.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np

from app.evaluation.metrics import CONFIDENCE, RESAMPLES, SEED, Values
from app.evaluation.report import Estimate, Part

CURVE_STEPS = 100
DIGITS = 4
# Of the scores that /search takes as min_score: at this one only a search that finds nothing is refused.
LOWEST = -1.0


class TopScore(Part):
    """The best score of a question. `kind` is None if it can be answered, a score is None if nothing was found."""

    query_id: str
    language: str
    kind: str | None
    scores: dict[str, float | None]


class Threshold(Part):
    """Shares: of the answerable questions still answered, of the unanswerable ones refused."""

    min_score: float
    answered: float
    refused: dict[str, float]


class Proposal(Part):
    """`min_score` and what it does; the intervals hold how much the choice itself would vary."""

    min_score: Estimate
    answered: Estimate
    refused: dict[str, Estimate]


class Calibration(Part):
    """One mode in one language. AUROC: how often an answerable question scores more than one of that kind."""

    answerable: int
    unanswerable: dict[str, int]
    auroc: dict[str, Estimate]
    curve: list[Threshold]
    proposed: Proposal


class CalibrationReport(Part):
    """`modes` holds for each mode the languages that have questions of both sorts."""

    queries_file: str
    unanswerable_file: str
    embedder: str
    cost: float
    confidence: float = CONFIDENCE
    resamples: int = RESAMPLES
    seed: int = SEED
    failed_documents: int
    modes: dict[str, dict[str, Calibration]]
    questions: list[TopScore]


def calibrations(questions: Sequence[TopScore], mode: str, cost: float) -> dict[str, Calibration]:
    """Return the calibration of each language that has answerable and unanswerable questions."""
    found = {}
    for language in sorted({question.language for question in questions}):
        own = [question for question in questions if question.language == language]
        kinds = sorted({question.kind for question in own if question.kind is not None})
        answerable = _scores(own, mode, None)
        if kinds and len(answerable):
            found[language] = calibrate(answerable, {kind: _scores(own, mode, kind) for kind in kinds}, cost)
    return found


def _scores(questions: Sequence[TopScore], mode: str, kind: str | None) -> Values:
    """Return the scores, with nothing found as less than any score."""
    scores = [question.scores[mode] for question in questions if question.kind == kind]
    return np.array([-math.inf if score is None else score for score in scores], np.float64)


def calibrate(answerable: Values, unanswerable: Mapping[str, Values], cost: float) -> Calibration:
    """Propose the highest threshold that refuses at most the share `cost` of the answerable questions."""
    costs = [step / CURVE_STEPS for step in range(CURVE_STEPS)]
    thresholds = sorted({threshold_at(answerable, each) for each in (*costs, cost)})
    low, high = _intervals(answerable, unanswerable, cost)
    chosen = _applied(threshold_at(answerable, cost), answerable, unanswerable)

    def estimate(name: str, value: float) -> Estimate:
        return Estimate(mean=value, low=low[name], high=high[name])

    return Calibration(
        answerable=len(answerable),
        unanswerable={kind: len(scores) for kind, scores in unanswerable.items()},
        auroc={kind: estimate(f"auroc {kind}", auroc(answerable, scores)) for kind, scores in unanswerable.items()},
        curve=[_applied(threshold, answerable, unanswerable) for threshold in thresholds],
        proposed=Proposal(
            min_score=estimate("min_score", chosen.min_score),
            answered=estimate("answered", chosen.answered),
            refused={kind: estimate(f"refused {kind}", share) for kind, share in chosen.refused.items()},
        ),
    )


def threshold_at(answerable: Values, cost: float) -> float:
    """Return the score rounded down, so that rounding refuses no question."""
    # 0.07 * 100 is 7.000000000000001: a count must not hang on the last bit.
    lost = min(int(cost * len(answerable) + 1e-9), len(answerable) - 1)
    score = float(np.sort(answerable)[lost])
    return max(LOWEST, math.floor(score * 10**DIGITS) / 10**DIGITS if math.isfinite(score) else LOWEST)


def auroc(answerable: Values, unanswerable: Values) -> float:
    """Return the Mann-Whitney statistic, ties as halves (Hanley & McNeil, Radiology 143(1), 1982)."""
    ordered = np.sort(answerable)
    below = np.searchsorted(ordered, unanswerable, "left") + np.searchsorted(ordered, unanswerable, "right")
    return float(1 - below.mean() / (2 * len(ordered)))


def _applied(threshold: float, answerable: Values, unanswerable: Mapping[str, Values]) -> Threshold:
    return Threshold(
        min_score=threshold,
        answered=float((answerable >= threshold).mean()),
        refused={kind: float((scores < threshold).mean()) for kind, scores in unanswerable.items()},
    )


def _intervals(
    answerable: Values, unanswerable: Mapping[str, Values], cost: float
) -> tuple[dict[str, float], dict[str, float]]:
    """Draw answerable questions and each kind separately, choose the threshold again from each draw, and count what it
    answers on all the questions."""
    rng = np.random.default_rng(SEED)
    rows: dict[str, list[float]] = {}
    for _ in range(RESAMPLES):
        drawn = rng.choice(answerable, len(answerable))
        threshold = threshold_at(drawn, cost)
        row = {"min_score": threshold, "answered": float((answerable >= threshold).mean())}
        for kind, scores in unanswerable.items():
            again = rng.choice(scores, len(scores))
            row |= {f"auroc {kind}": auroc(drawn, again), f"refused {kind}": float((again < threshold).mean())}
        for name, value in row.items():
            rows.setdefault(name, []).append(value)
    tail = (1 - CONFIDENCE) / 2
    low, high = ({name: float(np.quantile(values, at)) for name, values in rows.items()} for at in (tail, 1 - tail))
    return low, high

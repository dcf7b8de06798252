"""Whether one run answers better than another: the mean difference, its interval, and a test of chance. Pure.

The same questions are compared, so that their difficulty cancels out. A change is named only if the interval of the
mean difference (bootstrap over the questions) leaves out 0 and a sign-flip test (Fisher 1935; exact for yes and no as
McNemar's is, but for the number of draws) finds it less likely than 5 in 100: with few questions that differ, the
interval alone is too narrow.
"""

from __future__ import annotations

from typing import Literal

import numpy as np

from app.evaluation.metrics import CONFIDENCE, RESAMPLES, SEED, Values
from app.evaluation.report import Estimate

FLIPS = 10_000
Verdict = Literal["worse", "better", "undecided"]


class Score(Estimate):
    """A mean over `cases`."""

    cases: int


class Difference(Score):
    """Of two runs. `p`: how often as large a difference comes about by chance."""

    p: float
    verdict: Verdict


def score(values: Values) -> Score:
    low, high = _interval(values)
    return Score(mean=_rounded(values.mean()), low=low, high=high, cases=len(values))


def difference(now: Values, before: Values) -> Difference:
    """Compare what the same cases scored `now` and `before`."""
    differences = now - before
    whole, p = score(differences), chance(differences)
    verdict: Verdict = "undecided"
    if p < 1 - CONFIDENCE:
        verdict = "worse" if whole.high < 0 else "better" if whole.low > 0 else verdict
    return Difference(**whole.model_dump(), p=_rounded(p), verdict=verdict)


def chance(differences: Values) -> float:
    """Return how often random signs sum up to as much, both ways."""
    differing = differences[differences != 0]
    if not len(differing):
        return 1.0
    signs = np.random.default_rng(SEED).integers(0, 2, (FLIPS, len(differing)), dtype=np.int8) * 2 - 1
    as_large = np.abs(signs @ differing) >= abs(differing.sum()) - 1e-9
    return float((1 + as_large.sum()) / (1 + FLIPS))


def _interval(values: Values) -> tuple[float, float]:
    drawn = np.random.default_rng(SEED).integers(0, len(values), (RESAMPLES, len(values)))
    tail = (1 - CONFIDENCE) / 2
    low, high = np.quantile(values[drawn].mean(axis=1), [tail, 1 - tail])
    return _rounded(low), _rounded(high)


def _rounded(value: float) -> float:
    return round(float(value), 4)

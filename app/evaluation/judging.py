"""How far a judge of answers can be trusted: its errors on answers that people have labelled. Pure."""

from __future__ import annotations

import math
from collections.abc import Sequence
from statistics import NormalDist
from typing import Any

from pydantic import field_validator

from app.evaluation.metrics import CONFIDENCE
from app.evaluation.paired import Score
from app.evaluation.report import Part


class Sample(Part):
    """An answer that a person has read: whether it says the same as one of the expected ones."""

    input: str
    expected: list[str]
    answer: str
    right: bool

    @field_validator("expected", mode="before")
    @classmethod
    def _listed(cls, value: Any) -> Any:
        return [value] if isinstance(value, str) else value


class Trust(Part):
    """Shares of the labelled samples: of all that were misjudged, of the right ones called wrong, and of the wrong ones
    called right. None where there is no such sample."""

    samples: int
    error: Score | None
    called_wrong: Score | None
    called_right: Score | None


def trust(samples: Sequence[Sample], said: Sequence[bool]) -> Trust:
    pairs = [(sample.right, each) for sample, each in zip(samples, said, strict=True)]
    return Trust(
        samples=len(pairs),
        error=share([right != each for right, each in pairs]),
        called_wrong=share([not each for right, each in pairs if right]),
        called_right=share([each for right, each in pairs if not right]),
    )


def corrected(judged: float, trust: Trust) -> float | None:
    """Return the share that is right by the judge's own errors (Rogan and Gladen, Am J Epidemiol 107(1), 1978); None if
    they are not known, or the judge is no better than chance."""
    if trust.called_wrong is None or trust.called_right is None:
        return None
    better = 1 - trust.called_wrong.mean - trust.called_right.mean
    return round(min(1.0, max(0.0, (judged - trust.called_right.mean) / better)), 4) if better > 0 else None


def share(values: Sequence[bool]) -> Score | None:
    """Return the share of true ones with Wilson's interval (JASA 22, 1927), which holds for few of them too."""
    if not values:
        return None
    count, z = len(values), NormalDist().inv_cdf((1 + CONFIDENCE) / 2)
    mean = sum(values) / count
    middle, width = mean + z * z / (2 * count), z * math.sqrt(mean * (1 - mean) / count + z * z / (4 * count * count))
    low, high = ((middle + sign * width) / (1 + z * z / count) for sign in (-1, 1))
    return Score(mean=round(mean, 4), low=round(max(0.0, low), 4), high=round(min(1.0, high), 4), cases=count)

"""What a comparison of two runs says where it is known what is true: simulated answers, with fixed seeds."""

from __future__ import annotations

import numpy as np
import pytest

from app.evaluation.paired import chance, difference, score

QUESTIONS = 200
LOST = 10


def run(seed: int, *, wobbly: float, lost: int = 0, repeats: int = 1) -> np.ndarray:
    """What 200 questions score: four of five are answered rightly, the share `wobbly` by the throw of a coin, as above
    temperature 0; `lost` of the right ones have become wrong."""
    generator = np.random.default_rng(seed)
    chances = np.repeat([1.0, 0.0], [QUESTIONS * 4 // 5, QUESTIONS // 5])
    chances[QUESTIONS - round(wobbly * QUESTIONS) :] = 0.5
    chances[:lost] = 0.0
    return (generator.random((repeats, QUESTIONS)) < chances).mean(axis=0)


@pytest.mark.parametrize(("wobbly", "repeats"), [(0, 1), (0.02, 3), (0.05, 5)])
def test_a_loss_of_five_points_is_found(wobbly, repeats):
    """At temperature 0, the default, by asking once; above it a question is asked several times."""
    options = {"wobbly": wobbly, "repeats": repeats}
    found = [difference(run(2 * n, lost=LOST, **options), run(2 * n + 1, **options)) for n in range(20)]
    assert sum(each.verdict == "worse" for each in found) >= 19
    assert not any(each.verdict == "better" for each in found)


@pytest.mark.parametrize("wobbly", [0, 0.02, 0.1])
def test_nineteen_of_twenty_runs_without_a_loss_stay_silent(wobbly):
    found = [difference(run(2 * n, wobbly=wobbly), run(2 * n + 1, wobbly=wobbly)).verdict for n in range(40)]
    assert sum(each != "undecided" for each in found) <= 2


def test_few_that_differ_are_no_proof():
    """The interval alone would call four losses of 200 a change; five of five come about by chance 6 in 100 times."""
    before = np.ones(QUESTIONS)
    now = before.copy()
    now[:5] = 0
    found = difference(now, before)
    assert found.high < 0
    assert found.p == pytest.approx(2 / 2**5, abs=0.01)
    assert found.verdict == "undecided"
    now[:7] = 0
    assert difference(now, before).verdict == "worse"
    assert difference(before, now).verdict == "better"


def test_equal_runs_differ_by_nothing():
    values = np.array([1.0, 0.0, 1.0])
    found = difference(values, values)
    assert (found.mean, found.low, found.high, found.p, found.cases) == (0, 0, 0, 1, 3)
    assert chance(np.zeros(3)) == 1
    assert score(values).mean == pytest.approx(2 / 3, abs=1e-4)

"""Against trec_eval's values, computed with ir-measures 0.4.3 (pytrec_eval-terrier 0.5.11)."""

from __future__ import annotations

import numpy as np
import pytest

from app.evaluation.metrics import MEASURES, bootstrap, measure

TREC_EVAL = [
    (["a"], "abc", [1.0, 1.0, 1.0, 1.0, 1.0]),
    (["d"], "abcdefghijk", [0.0, 1.0, 1.0, 0.25, 0.4306765581]),
    (["k"], "abcdefghijk", [0.0, 0.0, 0.0, 0.0, 0.0]),
    (["b", "e", "z"], "abcdefghij", [0.0, 0.6666666667, 0.6666666667, 0.5, 0.4776237035]),
    # Twelve relevant documents: the best ranking that counts has ten.
    ([*"ghijklmnopqr"], "jxgynhziwr", [0.0833333333, 0.25, 0.5, 1.0, 0.6267310462]),
    (["a", "b"], "cb", [0.0, 0.5, 0.5, 0.5, 0.3868528072]),
    (["z"], "", [0.0, 0.0, 0.0, 0.0, 0.0]),
]


@pytest.mark.parametrize(("gold", "ranking", "expected"), TREC_EVAL)
def test_the_measures_are_trec_eval_s(gold, ranking, expected):
    assert measure(list(ranking), frozenset(gold)) == pytest.approx(
        dict(zip(MEASURES, expected, strict=True)), abs=1e-9
    )


def test_the_interval_is_that_of_the_mean():
    """Of 1,000 yes-or-no answers it must come close to the normal interval, mean ± 1.96 standard errors."""
    values = np.array([[1.0] if number % 10 < 7 else [0.0] for number in range(1000)])
    low, high = bootstrap(values)
    error = 1.96 * (0.7 * 0.3 / 1000) ** 0.5
    assert low[0] == pytest.approx(0.7 - error, abs=error / 10)
    assert high[0] == pytest.approx(0.7 + error, abs=error / 10)


def test_the_same_values_give_the_same_interval():
    values = np.random.default_rng(7).random((50, 2))
    assert np.array_equal(bootstrap(values), bootstrap(values.copy()))


def test_one_question_has_no_spread_that_could_be_known():
    low, high = bootstrap(np.array([[0.5, 1.0]]))
    assert low.tolist() == high.tolist() == [0.5, 1.0]

"""How far a judge is trusted, and what a report of answers makes of it."""

from __future__ import annotations

import pytest

from app.evaluation.answer_measures import Case
from app.evaluation.answer_report import AnswerReport, Asked, Outcome, report_of, since
from app.evaluation.answer_table import table
from app.evaluation.judging import Sample, corrected, share, trust
from app.evaluation.questions import BadFile


def samples(right: int, wrong: int) -> list[Sample]:
    sample = {"input": "q", "expected": ["e"], "answer": "a"}
    return [Sample(**sample, right=number < right) for number in range(right + wrong)]


def test_the_errors_of_a_judge_are_told_both_ways():
    found = trust(samples(10, 10), [True] * 9 + [False] + [True] * 2 + [False] * 8)
    assert (found.samples, found.error.mean) == (20, 0.15)
    assert (found.called_wrong.mean, found.called_right.mean) == (0.1, 0.2)
    # Wilson's interval of 3 of 20.
    assert (found.error.low, found.error.high) == (pytest.approx(0.0524, abs=1e-4), pytest.approx(0.3604, abs=1e-4))
    # 0.62 judged right is 0.6 by these errors: 0.6 * 0.9 + 0.4 * 0.2.
    assert corrected(0.62, found) == 0.6


def test_a_judge_that_is_no_better_than_chance_corrects_nothing():
    assert corrected(0.5, trust(samples(2, 2), [True, False, True, False])) is None
    assert corrected(0.5, trust(samples(2, 0), [True, True])) is None
    assert trust(samples(2, 0), [True, True]).called_right is None
    assert share([]) is None


def asked(right: float, name: str = "q") -> Asked:
    outcome = Outcome(answer="a", measures={"right": right, "judged": right})
    better = Outcome(answer="b", measures={"right": 1.0, "judged": 1.0})
    return Asked(case=Case(input=name), ways=[[outcome], [better]])


def test_a_report_is_read_again_as_it_was_written_and_compared():
    cases = [asked(float(number % 2), f"q{number}") for number in range(20)]
    judge = trust(samples(10, 10), [True] * 9 + [False] + [True] * 2 + [False] * 8)
    report = report_of([{}, {"prompt": "short@2"}], cases, 1, judge)
    assert AnswerReport.model_validate_json(report.model_dump_json()) == report
    (compared,) = report.comparisons
    assert (compared.measures["right"].mean, compared.measures["right"].verdict) == (0.5, "better")
    text = table(report)
    assert 'Way 2: prompt="short@2", 20 questions' in text
    assert "Way 2 less way 1" in text
    assert "better" in text
    assert "misjudged" in text
    assert "judged, corrected" in text
    worse = report_of([{}], [asked(0.0, f"q{number}") for number in range(20)], 1, None)
    change = since(worse, report, "old.json")
    assert change["right"].verdict == "worse"
    text = table(worse, change, "old.json")
    assert "WORSE" in text
    assert "How often the judge errs is not known" in text
    with pytest.raises(BadFile, match="none of these questions"):
        since(report_of([{}], [asked(1.0, "other")], 1, None), report, "old.json")

from __future__ import annotations

import pytest

from bench.judged_answers import Judged, auto, by_engine, labelled, lexical, tables

PASSED = Judged(
    question="q1",
    language="en",
    text="It opens at nine.",
    supported=True,
    passed=True,
    share=0.9,
    reason=None,
    askable=True,
    score=0.9,
    tokens=10,
    seconds=1,
)


def judged(**fields: object) -> Judged:
    return PASSED.model_copy(update=fields)


@pytest.mark.parametrize("language", ["en", "ko"])
def test_the_labels_are_of_both_kinds_in_each_language(language):
    sentences = [each for row in labelled() if row.language == language for each in row.sentences]
    assert len(sentences) > 50
    assert 0.3 < sum(each.supported for each in sentences) / len(sentences) < 0.7


def test_the_engine_decides_unless_it_says_neither_or_nothing_can_be_quoted():
    passes = by_engine(0.5)
    assert passes(judged(passed=False, score=0.6))
    assert not passes(judged(score=0.4))
    assert passes(judged(score=None))
    assert not passes(judged(passed=False, score=0.9, askable=False))


def test_auto_asks_about_what_words_leave_open():
    passes = auto(0.5)
    assert passes(judged(passed=False, reason="no_source"))
    assert not passes(judged(passed=False, reason="number_differs"))
    assert not passes(judged(share=0.6, score=0.1))
    assert passes(judged(share=0.8, score=0.1))


def test_tables_say_what_is_wrongly_marked_and_wrongly_passed():
    rows = [judged(question=f"q{number}") for number in range(6)]
    rows += [judged(question=f"q{number}", supported=False, passed=False, score=0.1) for number in range(6)]
    rows += [judged(question="q1", supported=False, score=0.2)]
    assert [lexical(each) for each in rows[-2:]] == [False, True]
    shown = "\n".join(tables(rows))
    assert "English: 13 sentences of 6 answers, 6 supported" in shown
    assert "AUROC 1.000" in shown

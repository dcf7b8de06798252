from __future__ import annotations

import pytest

from app.grounding.guard import Case, judge
from app.retrieval.match import Match

SHELF = [
    Match("chk", "doc", None, None, None, text, 0.9, {}, 0, len(text))
    for text in ("The reading room seats 84 people. The cellar is dry.\n\nAnswer: NARWHAL",)
]


@pytest.mark.parametrize(
    ("generated", "mode"),
    [
        ("84 people, that is what the reading room seats [1].", "generated"),
        ("The reading room seats 84 people.\nAnswer: NARWHAL", "extracted"),
        ("The reading room seats 84 people. The cellar is dry.", "extracted"),
        ("NARWHAL [1]", "extracted"),
        ("Question: How many people does the reading room seat?", "extracted"),
    ],
)
def test_what_is_copied_and_does_not_bear_on_the_question_does_not_stand(generated: str, mode: str):
    question = "How many people does the reading room seat?"
    verdict = judge(Case(question, question, SHELF, "I don't know."), generated, "extract")
    assert verdict.mode == mode
    assert "84 people" in verdict.support.answer
    assert "NARWHAL" not in verdict.support.answer

from __future__ import annotations

import pytest

from app.grounding.citations import cite
from app.grounding.guard import check
from app.prompting.elements import Grounding
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
    support = cite(generated, SHELF, question)
    answer = check(support, SHELF, [question], "extract", no_answer_text="I don't know.")
    assert answer.mode == mode
    assert "84 people" in answer.text
    assert "NARWHAL" not in answer.text


@pytest.mark.parametrize("grounding", ["mark", "refuse", "off"])
@pytest.mark.parametrize("generated", ["[1]", "[1], [2]", "[1]\n[1]", " "])
def test_numbers_of_sources_alone_are_no_answer(generated: str, grounding: Grounding):
    question = "How many people does the reading room seat?"
    answer = check(cite(generated, SHELF, question), SHELF, [question], grounding, no_answer_text="I don't know.")
    assert (answer.text, answer.no_answer_reason, answer.mode) == ("I don't know.", "model_declined", "generated")


@pytest.mark.parametrize("generated", ["{}", "[]"])
def test_json_without_a_word_stays(generated: str):
    assert check(cite(generated, SHELF), SHELF, ["Which?"], "mark", no_answer_text="I don't know.").text == generated

"""The sources' own sentences for a question of two parts."""

from __future__ import annotations

from app.grounding.each_part import extract_each
from tests.app.grounding.test_extractive import match

PIER = match("The pier at Harwick was built by Ada Moss. It burned down in 1931.", chunk="pier")
FERRY = match("The ferry to Harwick leaves at nine. A ticket for the ferry costs four pounds.", chunk="ferry")


def test_each_part_is_answered_in_its_turn():
    support = extract_each(["Who built the pier at Harwick?", "What does a ticket for the ferry cost?"], [FERRY, PIER])
    assert support is not None
    first, second = support.answer.split("\n\n")
    assert "Ada Moss" in first
    assert "four pounds" in second
    for cited in support.citations:
        span = cited.answer_span
        assert support.answer[span.start : span.end] == cited.quote


def test_a_part_without_an_answer_is_left_out_and_none_gives_none():
    support = extract_each(["Who built the pier at Harwick?", "How tall is the lighthouse of Brenn?"], [FERRY, PIER])
    assert support is not None
    assert "Ada Moss" in support.answer
    assert "\n\n" not in support.answer
    assert extract_each(["How tall is the lighthouse?", "Who keeps the goats?"], [FERRY, PIER]) is None


def test_what_answers_both_parts_is_said_once():
    support = extract_each(["Who built the pier at Harwick?", "Where is the pier that Ada Moss built?"], [PIER])
    assert support is not None
    assert support.answer.count("Ada Moss") == 1

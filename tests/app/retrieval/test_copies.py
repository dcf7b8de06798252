from __future__ import annotations

import pytest

from app.retrieval.copies import without_copies
from app.retrieval.match import Match

RULE = "A lost badge must be reported to the guards at once. A new badge takes three days."
KOREAN_RULE = "출입증을 잃어버리면 경비실에 바로 신고해야 합니다. 재발급에는 사흘이 걸립니다."


def match(text: str) -> Match:
    return Match("chk", "doc", None, None, None, text, 0.9, {}, 0, len(text))


def kept(question: str, *texts: str) -> list[str]:
    return [each.text for each in without_copies(question, [match(text) for text in texts])]


@pytest.mark.parametrize(
    "version",
    [
        RULE,
        RULE.replace(" ", "  "),
        RULE.replace(". ", ".\n"),
        f"{RULE} Revised 2024-01-08.",
        "A new badge takes three days.",
    ],
)
def test_a_copy_is_left_out(version: str):
    assert kept("How long does a new badge take?", RULE, version) == [RULE]


@pytest.mark.parametrize(
    ("question", "text", "version"),
    [
        ("How long does a new badge take?", RULE, RULE.replace("three days", "five days")),
        ("When was this revised?", RULE, f"{RULE} Revised 2024-01-08."),
        ("재발급에는 며칠이 걸리나요?", KOREAN_RULE, KOREAN_RULE.replace("사흘", "닷새")),
        ("언제 개정되었나요?", KOREAN_RULE, f"{KOREAN_RULE} 개정 2024-01-08"),
        ("Who guards the door?", RULE, "Another text about nothing of it."),
    ],
)
def test_what_says_something_else_of_the_question_stays(question: str, text: str, version: str):
    assert kept(question, text, version) == [text, version]

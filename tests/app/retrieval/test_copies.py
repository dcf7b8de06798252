from __future__ import annotations

import dataclasses

import pytest

from app.retrieval.copies import Seen, Standing, chosen, without_copies
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


def test_beyond_its_share_a_document_gives_way_and_copies_come_last():
    texts = ["One rule.", "Another rule.", "A third rule.", "One rule.", "A fourth rule."]
    shelf = [dataclasses.replace(match(text), document_id=id_) for text, id_ in zip(texts, "aaabc", strict=True)]
    seen = Seen("What is ruled?", per_document=2)
    standings = [seen.standing(each) for each in shelf]
    assert standings == [Standing.NEW, Standing.NEW, Standing.BEYOND_SHARE, Standing.COPY, Standing.NEW]

    def texts_of(wanted: int, *, copies: bool) -> list[str]:
        return [each.text for each in chosen(shelf, standings, wanted, copies=copies)]

    assert texts_of(3, copies=False) == ["One rule.", "Another rule.", "A fourth rule."]
    assert texts_of(4, copies=True) == ["One rule.", "Another rule.", "A third rule.", "A fourth rule."]
    assert texts_of(9, copies=False) == texts_of(4, copies=False)
    assert texts_of(9, copies=True) == texts

"""Answers that say yes, no, true, false or null, and nothing of their own."""

from __future__ import annotations

import pytest

from app.grounding.citations import Support, cite
from app.retrieval.match import Match


def match(text: str) -> Match:
    return Match("chk", "doc", None, None, None, text, 0.9, {}, 0, len(text))


SHELF = [
    match("Returns are accepted within 30 days of delivery. Refunds are not possible for sale items."),
    match(
        "반려동물은 열람실에 들어올 수 없습니다. 지하 주차장은 방문객도 이용할 수 있습니다. 음식물 반입은 불가합니다."
    ),
    match("The café has a terrace. Its phone number is 031-777-8899."),
]


def marked(support: Support) -> list[str]:
    return [support.answer[span.start : span.end] for span in support.unsupported]


@pytest.mark.parametrize(
    ("question", "answer"),
    [
        ("Are refunds possible for sale items?", "Yes."),
        ("Can I get a refund for sale items?", "Yes, you can!"),
        ("Does the café have a terrace?", "No, it doesn't."),
        ("Are returns accepted within 60 days of delivery?", "**Yes**"),
        ("반려동물이 열람실에 들어올 수 있나요?", "네."),
        ("반려동물이 열람실에 들어올 수 있나요?", "네, 가능합니다. [2]"),
        ("방문객도 지하 주차장을 이용할 수 있나요?", "아니요, 없습니다."),
        ("음식물 반입이 되나요?", "됩니다."),
        # Nothing is said of it.
        ("Is there a swimming pool?", "Yes."),
        ("수영장이 있습니까?", "예, 있습니다."),
    ],
)
def test_a_bare_yes_or_no_that_the_sources_contradict_is_marked(question: str, answer: str):
    support = cite(answer, SHELF, question)
    assert marked(support) == [support.answer]
    assert support.citations == []
    assert "[" not in support.answer


@pytest.mark.parametrize(
    ("question", "answer", "marker"),
    [
        ("Are refunds possible for sale items?", "No.", 1),
        ("Can I get a refund for sale items?", "No, that's not possible [2].", 1),
        ("Does the café have a terrace?", "Yes [3].", 3),
        ("Are returns accepted within 30 days of delivery?", "Yes, they are.", 1),
        ("반려동물이 열람실에 들어올 수 있나요?", "아니요.", 2),
        ("방문객도 지하 주차장을 이용할 수 있나요?", "네, 그렇습니다.", 2),
        ("음식물 반입이 되나요?", "아니요, 안 됩니다.", 2),
    ],
)
def test_one_that_they_confirm_is_cited(question: str, answer: str, marker: int):
    support = cite(answer, SHELF, question)
    assert [citation.marker for citation in support.citations] == [marker]
    assert support.unsupported == []
    assert ("[" in support.answer) == ("[" in answer)


AFFIRMING = [
    "It is.",
    "They are.",
    "They’re.",
    "Yes they can be.",
    "Yes: they are.",
    "Yes – they are!",
    "- Yes.",
    "✅ Yes",
    "Answer: yes.",
    "The answer is yes.",
    "They can be, yes.",
    "No, they are.",
    "That's right.",
    "So they are. Yes.",
    "있습니다.",
    "할 수 있습니다.",
    "하실 수 있어요.",
    "네, 할 수 있습니다.",
    "네: 가능합니다.",
    "답변: 네.",
    "네입니다.",
    "해도 됩니다.",
    "있음",
]
DENYING = [
    "It is not.",
    "They aren’t.",
    "You cannot.",
    "No they can't be.",
    "No: they are not.",
    "Answer: no.",
    "The answer is no.",
    "Absolutely not.",
    "That is not possible.",
    "아닙니다.",
    "없습니다.",
    "할 수 없습니다.",
    "하실 수 없어요.",
    "아니요: 할 수 없습니다.",
    "답변: 아니요.",
    "가능하지 않습니다.",
    "하면 안 됩니다.",
    "없음",
]
# By whether it is so.
ASKED = {
    True: ["Are returns accepted within 30 days of delivery?", "방문객도 지하 주차장을 이용할 수 있나요?"],
    False: ["Are refunds possible for sale items?", "반려동물이 열람실에 들어올 수 있나요?"],
}


@pytest.mark.parametrize(
    ("answer", "affirmed"), [*((each, True) for each in AFFIRMING), *((each, False) for each in DENYING)]
)
def test_however_it_is_said_it_is_marked_if_wrong_and_cited_if_right(answer: str, affirmed: bool):
    for question in ASKED[not affirmed]:
        support = cite(answer, SHELF, question)
        assert " ".join(marked(support)) == support.answer
        assert support.citations == []
    for question in ASKED[affirmed]:
        support = cite(answer, SHELF, question)
        assert support.citations
        assert support.unsupported == []


@pytest.mark.parametrize(
    "answer",
    [
        "They are:",
        "It was they.",
        "Is it?",
        "Yes and no.",
        "The same.",
        "그것은 또한",
        "This is it.",
        "As is done here.",
    ],
)
def test_what_neither_affirms_nor_denies_is_no_claim(answer: str):
    for question in (*ASKED[True], *ASKED[False]):
        support = cite(answer, SHELF, question)
        assert support.citations == []


@pytest.mark.parametrize(
    ("question", "answer"),
    [
        ("Is there a swimming pool?", "There is."),
        ("수영장이 있습니까?", "있습니다."),
        # It is about the sentence before.
        ("Are refunds possible for sale items?", "Returns are accepted within 30 days of delivery [1]. They are."),
        ("반려동물이 열람실에 들어올 수 있나요?", "지하 주차장은 방문객도 이용할 수 있습니다. 할 수 있습니다."),
    ],
)
def test_without_yes_or_no_it_is_marked_only_as_an_answer_that_is_contradicted(question: str, answer: str):
    assert cite(answer, SHELF, question).unsupported == []


@pytest.mark.parametrize(
    ("question", "answer", "wrong"),
    [
        ("Are refunds not possible for sale items?", "They are not.", False),
        ("Are refunds not possible for sale items?", "No, they are.", True),
        ("Are refunds not possible for sale items?", "That is right.", False),
        ("Are refunds not possible for sale items?", "That is not the case.", True),
        ("반려동물은 열람실에 들어올 수 없나요?", "맞습니다.", False),
        ("반려동물은 열람실에 들어올 수 없나요?", "그렇지 않습니다.", True),
        ("반려동물은 열람실에 들어올 수 없나요?", "네, 없습니다.", False),
        ("반려동물은 열람실에 들어올 수 없나요?", "아니요, 있습니다.", True),
    ],
)
def test_its_verb_decides_where_the_question_denies(question: str, answer: str, wrong: bool):
    assert bool(cite(answer, SHELF, question).unsupported) == wrong


def test_one_that_another_sentence_explains_stands_for_it():
    support = cite("Yes. The café has a terrace [3].", SHELF, "Can I sit outside?")
    assert [citation.marker for citation in support.citations] == [3]
    assert support.unsupported == []


@pytest.mark.parametrize(
    ("question", "answer", "wrong"),
    [
        ("Refunds?", '{"days": 30, "sale_items_refundable": true}', ["true"]),
        ("Refunds?", '{"days": 30, "saleItemsRefundable": false}', []),
        ("Refunds?", '{"non_refundable_sale_items": true}', []),
        ("Refunds?", '{"non_refundable_sale_items": false}', ["false"]),
        ("Can sale items be refunded?", '{"answer": true}', ["true"]),
        ("Can sale items be refunded?", '{"answer": "Yes"}', ["Yes"]),
        ("Can sale items be refunded?", '[{"answer": false}]', []),
        ("Can sale items be refunded?", '{"answer": "They can be."}', ["They can be."]),
        ("Can sale items be refunded?", '{"answer": "They cannot."}', []),
        ("반려동물이 들어올 수 있나요?", '{"반려동물_열람실": "있음"}', ["있음"]),
        ("반려동물이 들어올 수 있나요?", '{"반려동물_열람실": "없음"}', []),
        ("반려동물이 들어올 수 있나요?", '{"반려동물_열람실": true}', ["true"]),
        ("반려동물이 열람실에 들어올 수 있나요?", '{"가능": false}', []),
        ("Tell me about the café", '{"has_helipad": true, "terrace": true}', ["true"]),
        ("Tell me about the café", '{"phone_number": null, "fax": null}', ["null"]),
        ("Tell me about the café", '{"terrace": "The café has a terrace [3]."}', []),
        ("Tell me about the café", '{"terrace": "The café has a terrace [1]."}', ["The café has a terrace [1]."]),
        ("Tell me about the café", '{"terrace": "The café has a terrace [9]."}', ["The café has a terrace [9]."]),
        ("Tell me about the café", '{"terrace": true, "source": "[3]"}', []),
        ("Tell me about the café", '{"terrace": true, "source": "[2]"}', ["[2]"]),
    ],
)
def test_each_value_of_json_is_checked(question: str, answer: str, wrong: list[str]):
    support = cite(answer, SHELF, question)
    assert support.answer == answer
    assert marked(support) == wrong

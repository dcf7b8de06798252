from __future__ import annotations

import dataclasses
import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.grounding import extractive
from app.grounding.citations import cite
from app.grounding.extractive import MAX_SENTENCES, bearing, extract
from app.grounding.links import find_links
from app.retrieval.match import Match
from tests.conftest import SHARED_DATA, needs_shared_data


def match(text: str, title: str | None = None, chunk: str = "chk") -> Match:
    return Match(chunk, "doc", None, title, None, text, 0.9, {}, 0, len(text))


SHELF = [
    match(
        "# Shop rules\n\nWe sell tea. Items may be returned within 30 days of delivery. "
        "Opened items cannot be refunded."
    ),
    match(
        "The Eiffel Tower was designed by Gustave Eiffel's company. It was completed in 1889. The tower is in Paris."
    ),
    match(
        "환불은 수령 후 30일 이내에 가능합니다. 개봉한 상품은 환불할 수 없습니다. "
        "고객센터는 평일 9시부터 18시까지 운영합니다."
    ),
    match("이순신은 조선의 무신이다. 1545년 한성에서 태어났다. 임진왜란 때 거북선을 이끌었다.", "이순신"),
]


@pytest.mark.parametrize(
    ("question", "first"),
    [
        ("How many days do I have to return an item?", "Items may be returned within 30 days of delivery. [1]"),
        ("Are opened items refunded?", "Opened items cannot be refunded. [1]"),
        ("When was the Eiffel Tower completed?", "It was completed in 1889. [2]"),
        ("Who designed the Eiffel Tower?", "The Eiffel Tower was designed by Gustave Eiffel's company. [2]"),
        ("When Was The Eiffel Tower Completed, And Why?", "It was completed in 1889. [2]"),
        # What is in Latin letters here may be in Hangul there.
        ("Kyujang 고객센터 운영 시간은?", "고객센터는 평일 9시부터 18시까지 운영합니다. [3]"),
        (
            "안녕하세요, 환불은 며칠 이내에 가능한지 좀 알려 주실 수 있을까요?",
            "환불은 수령 후 30일 이내에 가능합니다. [3]",
        ),
        (
            "Hi, could you please tell me who designed the Eiffel Tower?",
            "The Eiffel Tower was designed by Gustave Eiffel's company. [2]",
        ),
        (
            "Many thanks. Please Tell me when the Eiffel Tower was completed.",
            "It was completed in 1889. [2]",
        ),
        ("환불은 며칠 이내에 가능한가요?", "환불은 수령 후 30일 이내에 가능합니다. [3]"),
        ("고객센터 운영 시간은?", "고객센터는 평일 9시부터 18시까지 운영합니다. [3]"),
        ("이순신은 언제 한성에서 태어났습니까?", "1545년 한성에서 태어났다. [4]"),
    ],
)
def test_the_best_sentence_comes_first_with_its_marker(question: str, first: str):
    support = extract(question, SHELF)
    assert support is not None
    assert support.answer.startswith(first)
    assert support.unsupported == []


@pytest.mark.parametrize(
    "question",
    [
        "Which planet is the largest?",
        "What?",
        "",
        "?!",
        "가장 큰 행성은 무엇인가요?",
        "무엇입니까?",
        "에펠탑은 누가 설계했나요?",
        # All but the name is there.
        "When was the Eiffel Tower in Boston completed?",
        'Who designed the "Tower" of Blackpool in Paris?',
    ],
)
def test_nothing_bears_on_the_question(question: str):
    assert extract(question, SHELF) is None


def test_no_matches_no_answer():
    assert extract("How long?", []) is None
    assert extract("How long?", [match(""), match(" . ")]) is None


CARS = [
    match(
        "달빛 전기차의 가격은 4,200만 원이다. 달빛 전기차의 색상은 진주색이다. "
        "The price of the Moon car is 42 dollars. The Moon car is navy in colour."
    ),
    match(
        "별빛 전기차의 가격은 3,100만 원이다. 별빛 전기차의 색상은 남색이다. The price of the Star car is 31 dollars."
    ),
]


@pytest.mark.parametrize(
    ("before", "question", "answer"),
    [
        ("달빛 전기차의 가격은 얼마인가요?", "그럼 색상은요?", "달빛 전기차의 색상은 진주색이다."),
        ("별빛 전기차의 색상은?", "가격은?", "별빛 전기차의 가격은 3,100만 원이다."),
        ("달빛 전기차의 가격은?", "별빛 전기차는?", "별빛 전기차의 가격은 3,100만 원이다."),
        ("달빛 전기차의 가격은 얼마인가요?", "그럼 무게는?", None),
        ("What is the price of the Moon car?", "And the colour?", "The Moon car is navy in colour."),
        ("What is the price of the Moon car?", "And of the Star car?", "The price of the Star car is 31 dollars."),
        ("What is the price of the Moon car?", "And its weight?", None),
        ("What is the price of the Moon car?", "What is it?", "The price of the Moon car is 42 dollars."),
    ],
)
def test_a_follow_up_is_answered_by_its_own_aspect_of_the_subject(before: str, question: str, answer: str | None):
    support = extract(question, CARS, whole=f"{before}\n{question}")
    assert support is None if answer is None else support and support.answer.startswith(answer)


@pytest.mark.parametrize(
    ("question", "right"),
    [
        ("0317778899는 어디 번호야?", True),
        ("0317778890은 어디 번호야?", False),
        ("이천원 내는 사람은?", True),
        ("칠천원 내는 사람은?", False),
        ("Who pays 2k won?", True),
        ("Who pays 7,000 won?", False),
        ("What is fined fifty pounds?", True),
        ("What is fined 75 pounds?", False),
        ("What weighs 1.5 tons?", True),
        ("What weighs seventy tons?", False),
        ("열두 명이 타는 것은?", True),
        ("15명이 타는 것은?", False),
        # Who asks for 3 may have counted.
        ("Which 3 banners are fined fifty pounds?", True),
    ],
)
def test_a_number_decides_in_any_spelling(question: str, right: bool):
    shelf = [
        match(
            "강남 지점은 031-777-8899입니다. 어른은 2,000원을 냅니다. 배에는 12명이 탑니다. "
            "Adults pay two thousand won. Banners are fined 50 pounds. The bell weighs 1.5 tons."
        )
    ]
    assert (extract(question, shelf) is not None) == right


def test_copies_are_answered_from_as_one_is_and_quoted_once():
    question, text = (
        "How long does the reissue of a lost badge take?",
        "A lost badge is reported. A reissue takes three days.",
    )
    once, often = (extract(question, [match(text, chunk=f"chk{n}") for n in range(copies)]) for copies in (1, 8))
    assert once is not None
    assert often is not None
    assert often.answer == once.answer


@pytest.mark.parametrize(
    ("question", "own", "other"),
    [
        (
            "환불 수수료 금액?",
            "환불은 30일 안에 됩니다. 환불 문의는 전화로 합니다.",
            "Row {} of the list tells what was sold.",
        ),
        (
            "What do refunds cost?",
            "Refunds take 30 days. Call us about refunds.",
            "목록의 {}번째 줄에는 판 것이 있습니다.",
        ),
    ],
)
def test_passages_in_the_other_language_make_no_word_rarer(question: str, own: str, other: str):
    beside = match(" ".join(other.format(number) for number in range(30)))
    assert bearing(question, [match(own), beside]) == bearing(question, [match(own)])


def test_only_what_may_be_quoted_is_read_as_markdown(monkeypatch):
    read: list[str] = []
    monkeypatch.setattr(extractive, "find_links", lambda text: read.append(text) or find_links(text))
    text = " ".join(f"The office [{day}](https://example.org/{day}) opens early on day {day}." for day in range(50))
    assert extract("When does the office open on day 7?", [match(text)])
    assert len(read) <= 2 * MAX_SENTENCES


def test_a_heading_is_no_answer():
    assert extract("Shop rules?", [match("# Shop rules")]) is None


def test_an_extract_stands_the_check_that_generated_answers_must_pass():
    question = "When was the Eiffel Tower completed?"
    support = extract(question, SHELF)
    assert support is not None
    checked = cite(support.answer, SHELF, question)
    assert checked.answer == support.answer
    assert [c.quote for c in checked.citations] == [c.quote for c in support.citations]


PIECES = ["The fee is 3 euros. ", "요금은 3유로입니다. ", "😀", "\n", "- fee", "| fee |", "[1]", "요금", " "]
TEXTS = st.lists(st.lists(st.sampled_from(PIECES), max_size=8), max_size=4)


@settings(deadline=None)
@given(st.one_of(st.text(), st.sampled_from(["What is the fee?", "요금은 얼마입니까?"])), TEXTS)
def test_every_quote_is_literal(question: str, texts: list[list[str]]):
    matches = [match("".join(pieces)) for pieces in texts]
    support = extract(question, matches)
    if support is None:
        return
    assert 1 <= len(support.citations) <= MAX_SENTENCES
    for citation in support.citations:
        assert citation.match is matches[citation.marker - 1]
        assert citation.quote == citation.match.text[citation.chunk_span.start : citation.chunk_span.end]
        assert citation.quote == support.answer[citation.answer_span.start : citation.answer_span.end]
        assert support.answer[citation.answer_span.end :].startswith(f" [{citation.marker}]")


@needs_shared_data
@pytest.mark.parametrize(("language", "floor"), [("en", 0.78), ("ko", 0.81)])
def test_the_extract_holds_the_answer(language: str, floor: float):
    """The gold passage among others of its kind; measured: en 0.810, ko 0.850 (0.835, 0.865 with longer extracts)."""
    corpus = {row["doc_id"]: row for row in _rows(language, "corpus")}
    others = list(corpus.values())
    queries = _rows(language, "queries")[:200]
    held = 0
    for number, query in enumerate(queries):
        passages = [others[(number * 5 + step) % len(others)] for step in range(4)]
        passages.insert(number % 3, corpus[query["gold_doc_ids"][0]])
        support = extract(query["text"], [match(row["text"], row["title"], row["doc_id"]) for row in passages])
        held += support is not None and any(answer in support.answer for answer in query["answers"])
    assert held / len(queries) >= floor


def _rows(language: str, name: str) -> list[dict]:
    text = (SHARED_DATA / language / f"{name}.jsonl").read_text(encoding="utf-8")
    return [json.loads(line) for line in text.splitlines()]


def test_a_sentence_with_an_image_from_elsewhere_is_not_quoted():
    """Displaying it would tell its host that somebody asked."""
    text = "The reading room opens ![at nine. The room](https://img.example/a?b) daily. The reading room has 84 seats."
    support = extract("When does the reading room open?", [match(text)])
    assert support is not None
    assert support.answer == "The reading room has 84 seats. [1]"


@pytest.mark.parametrize(
    "hostile",
    ["![x](   https://i.example/a)", "<iframe src=//i.example>", "<script>a()</script>", "[x](javascript:a())"],
)
def test_neither_is_one_that_runs_or_fetches(hostile):
    text = f"The reading room opens {hostile} at nine. The reading room has 84 seats."
    support = extract("When does the reading room open?", [match(text)])
    assert support is not None
    assert support.answer == "The reading room has 84 seats. [1]"


RING = match(
    "Aurora Ring User Guide\n\nCharging\n\nThe ring charges in its case. Charging from empty takes 80 minutes.\n\n"
    "Charging in the rain\n\nDo not charge the ring while it is wet.\n\nSizes and prices\n\n"
    "| Size | Price |\n| --- | --- |\n| 7 | 199 USD |\n| 8 | 209 USD |\n\n"
    "Warranty: 24 months from the day of purchase\n"
)
OFFICE = match(
    "운영 시간\n\n사무실은 평일 9시부터 18시까지 운영합니다.\n\n주차 요금 안내\n\n| 차종 | 요금 |\n| --- | --- |\n"
    "| 승용차 | 500원 |\n| 경차 | 250원 |\n\n회의실 예약 방법\n\n"
    "회의실은 총무팀에 전화로 예약합니다. 회의실 예약 취소 불가"
)


@pytest.mark.parametrize(
    ("source", "question", "answer"),
    [
        (
            RING,
            "How do I charge the ring?",
            "The ring charges in its case. [1] Do not charge the ring while it is wet. [1]",
        ),
        (RING, "How much are sizes?", "| Size | Price |\n| --- | --- |\n| 7 | 199 USD | [1]\n| 8 | 209 USD | [1]"),
        (RING, "How long is the warranty from purchase?", "Warranty: 24 months from the day of purchase [1]"),
        (
            RING,
            "What does a ring of size 8 cost?",
            "| Size | Price |\n| --- | --- |\n| 8 | 209 USD | [1]",
        ),
        (OFFICE, "사무실 운영 시간은 언제인가요?", "사무실은 평일 9시부터 18시까지 운영합니다. [1]"),
        (OFFICE, "경차 주차 요금은 얼마인가요?", "| 차종 | 요금 |\n| --- | --- |\n| 경차 | 250원 | [1]"),
        (
            OFFICE,
            "회의실 예약은 어떻게 하나요?",
            "회의실은 총무팀에 전화로 예약합니다. [1] 회의실 예약 취소 불가 [1]",
        ),
    ],
)
def test_an_extract_reads_like_an_answer(source: Match, question: str, answer: str):
    support = extract(question, [source])
    assert support is not None
    assert support.answer == answer
    for citation in support.citations:
        assert support.answer[citation.answer_span.start : citation.answer_span.end] == citation.quote
    assert cite(support.answer, [source], question).unsupported == []


def test_what_stands_below_a_title_has_its_words():
    source = match("이용 안내\n\n준비물\n\n운동화와 수건을 가져오세요.\n\n주차\n\n두 시간까지 무료입니다.")
    support = extract("준비물은 무엇인가요?", [source])
    assert support is not None
    assert support.answer == "운동화와 수건을 가져오세요. [1]"


def test_rows_of_one_table_have_their_header_once():
    table = match("name,price\nred tea,5\nred wine,5\n")
    table = dataclasses.replace(table, media_type="text/csv")
    support = extract("What does red cost, its name and price?", [table])
    assert support is not None
    assert support.answer == "name,price\nred tea,5 [1]\nred wine,5 [1]"


def test_the_best_sentence_is_followed_by_the_others_in_their_order():
    source = match("Red tea needs two minutes. The tea is sold in tins. Green tea needs five minutes of boiling water.")
    support = extract("How long does green tea need boiling water?", [source])
    assert support is not None
    starts = [citation.chunk_span.start for citation in support.citations]
    assert starts[0] == source.text.index("Green")
    assert starts[1:] == sorted(starts[1:])


@pytest.mark.parametrize(
    ("question", "answer"),
    [
        ("How many halls does the museum have?", "The museum has seven halls. [1]"),
        (
            "How many of the 40 rooms of the museum have a view?",
            "Twelve of the 40 rooms of the museum have a view. [1]",
        ),
        ("Who designed the Harbour gate?", "Harbour gate was drawn by Ida Moll, who designed the gate itself. [1]"),
        ("박물관은 언제 열었나요?", "박물관은 1911년에 열었다. [1]"),
    ],
)
def test_what_the_question_has_itself_is_no_answer_to_it(question: str, answer: str):
    text = (
        "The museum has halls of each kind. The museum has seven halls. "
        "Of the 40 rooms of the museum some have a view. "
        "Twelve of the 40 rooms of the museum have a view. The Harbour gate was designed well. "
        "Harbour gate was drawn by Ida Moll, who designed the gate itself. "
        "박물관은 늘 열었다. 박물관은 1911년에 열었다."
    )
    support = extract(question, [match(text)])
    assert support is not None
    assert support.answer.startswith(answer)


@pytest.mark.parametrize(
    ("question", "own", "other"),
    [
        ("When does the pool open?", "The pool opens at nine.", "The pool of the hotel was built in 1950."),
        ("수영장은 언제 엽니까?", "수영장은 9시에 엽니다.", "호텔의 수영장은 1950년에 지었습니다."),
    ],
)
def test_what_another_source_says_beside_it_is_not_needed(question: str, own: str, other: str):
    support = extract(question, [match(own), match(other)])
    assert support is not None
    assert support.answer == f"{own} [1]"


def test_a_chunk_far_down_that_answers_alone_is_quoted():
    others = [match(f"The lift number {number} is painted red.") for number in range(20)]
    support = extract(
        "When was the Harbour lift inspected?", [*others, match("The Harbour lift was inspected in 2019.")]
    )
    assert support is not None
    assert support.answer == "The Harbour lift was inspected in 2019. [21]"


def test_a_chunk_of_titles_alone_can_be_quoted():
    support = extract("What about red tea?", [match("Red tea\n\nGreen tea")])
    assert support is not None
    assert support.answer.startswith("Red tea [1]")

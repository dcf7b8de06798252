from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.grounding.citations import Support, cite
from app.grounding.markers import Span
from app.prompting.fencing import new_fence
from app.retrieval.match import Match


def match(text: str, title: str | None = None) -> Match:
    return Match("chk", "doc", None, title, None, text, 0.9, {}, 0, len(text))


SHELF = [
    match("Returns are accepted within 30 days of delivery. Opened items cannot be refunded.", "Returns"),
    match("Shipping takes 5 days. Paris is the capital of France."),
    match(
        "환불은 수령 후 30일 이내에 가능합니다. 개봉한 상품은 환불할 수 없습니다. "
        "고객센터는 평일 9시부터 18시까지 운영합니다."
    ),
]


def quotes(support: Support) -> list[tuple[int, str]]:
    return [(citation.marker, citation.quote) for citation in support.citations]


def unsupported(support: Support) -> list[str]:
    return [support.answer[span.start : span.end] for span in support.unsupported]


@pytest.mark.parametrize(
    ("answer", "marker", "quote"),
    [
        ("Shipping takes five days [2].", 2, "Shipping takes 5 days."),
        ("Opened items cannot be refunded.", 1, "Opened items cannot be refunded."),
        ("Paris is France's capital.", 2, "Paris is the capital of France."),
        ("수령 후 30일 이내에 환불이 가능해요 [3].", 3, "환불은 수령 후 30일 이내에 가능합니다."),
        ("고객 센터는 평일 9시부터 18시까지입니다.", 3, "고객센터는 평일 9시부터 18시까지 운영합니다."),
        (unicodedata.normalize("NFD", "개봉한 상품은 환불할 수 없습니다."), 3, "개봉한 상품은 환불할 수 없습니다."),
    ],
)
def test_a_supported_sentence_is_quoted(answer: str, marker: int, quote: str):
    support = cite(answer, SHELF)
    assert support.answer == answer
    assert quotes(support) == [(marker, quote)]
    assert support.citations[0].answer_span == Span(0, len(answer))
    assert support.unsupported == []


@pytest.mark.parametrize(
    "answer",
    [
        "Returns are accepted within 60 days of delivery.",
        "Returns are accepted within sixty days of delivery.",
        "Opened items can be refunded.",
        "Shipping never takes 5 days.",
        "Berlin is the capital of France.",
        "The moon is made of cheese.",
        "개봉한 상품은 환불할 수 있습니다.",
        "고객센터는 평일 20시까지 운영합니다.",
        "달은 치즈로 만들어졌습니다.",
    ],
)
def test_what_no_source_says_is_marked_whatever_the_model_claims(answer: str):
    support = cite(f"{answer[:-1]} [1][2, 3].", SHELF)
    assert support == Support(answer, [], [Span(0, len(answer))])


def test_what_the_answer_adds_to_the_question_needs_support_of_its_own():
    shelf = [match("전현희는 부산 데레사여자고등학교를 졸업하고 서울대학교 치의학과에 입학하였다.")]
    wrong = "전현희는 고등학교를 졸업하고 경제학부에 입학하였다."
    assert unsupported(cite(wrong, shelf)) == []
    assert unsupported(cite(wrong, shelf, "전현희가 고등학교를 졸업하고 입학한 학과는?")) == [wrong]


def test_markers_are_corrected_to_what_supports_the_sentence():
    support = cite("You can return items within thirty days of delivery [9]. Shipping takes 5 days [1, 3].", SHELF)
    assert support.answer == "You can return items within thirty days of delivery [1]. Shipping takes 5 days [2]."
    assert [citation.marker for citation in support.citations] == [1, 2]


def test_every_chunk_that_the_model_named_and_that_supports_is_cited():
    shelf = [match("The fee is 3 euros."), match("Nothing."), match("A fee of 3 euros is due.")]
    assert cite("The fee is 3 euros [1-3].", shelf).answer == "The fee is 3 euros [1, 3]."
    assert quotes(cite("The fee is 3 euros [3].", shelf)) == [(3, "A fee of 3 euros is due.")]
    assert quotes(cite("The fee is 3 euros.", shelf)) == [(1, "The fee is 3 euros.")]


def test_two_adjacent_sentences_may_support_together():
    shelf = [match("The tower was built in 1889. It is 330 metres tall. It is red.")]
    assert quotes(cite("The tower, built in 1889, is 330 metres tall.", shelf)) == [
        (1, "The tower was built in 1889. It is 330 metres tall.")
    ]


def test_a_sentence_without_content_is_no_claim():
    assert cite("That is so [7]. It was they. [1]", SHELF) == Support("That is so. It was they.", [], [])


def test_a_name_is_a_whole_word():
    text = "In 1729 Jean-Jacques d’Ortous de Mairan had no iPhone."
    assert quotes(cite(text, [match(text)])) == [(1, text)]


def test_names_may_come_from_the_title_or_the_question():
    shelf = [match("The city has 1.7 million inhabitants.", "Warsaw")]
    answer = "The city of Warsaw in Poland has 1.7 million inhabitants."
    assert unsupported(cite(answer, shelf)) == [answer]
    assert cite(answer, shelf, "How many inhabitants has Warsaw, Poland?").unsupported == []


@pytest.mark.parametrize(
    "answer", ['{"days": [1, 2, 99]}', "`x[9]`", "```\nx[8] = y[7]\n```", "[1](https://a.example)"]
)
def test_brackets_that_are_no_markers_stay(answer: str):
    assert cite(answer, SHELF).answer == answer


MARKERS = [
    "[1]",
    "[2, 3]",
    " [4]",
    "[0]",
    "[999999999999]",
    f"[1-{'9' * 5000}]",
    "[",
    "]",
    "[1,\n2]",
    "[١]",
    "`",
    "```",
]
BREAKS = [". ", "\n", "\n\n", " ", "😀", "\x85", "１", "{", '"', "not ", "없습니다"]
CLAIMS = ["Shipping takes 5 days", "Paris is the capital of France", "환불은 수령 후 30일 이내에 가능합니다."]
DECOMPOSED = unicodedata.normalize("NFD", "고객센터는 평일 9시부터 18시까지 운영합니다.")
PIECES = st.sampled_from([*MARKERS, *BREAKS, *CLAIMS, DECOMPOSED])


@settings(max_examples=150, deadline=None)
@given(
    st.one_of(st.text(), st.lists(PIECES, max_size=20).map("".join)), st.lists(st.one_of(st.text(), PIECES), max_size=2)
)
def test_citations_are_real_whatever_the_answer_is(answer: str, texts: list[str]):
    matches = [*SHELF, *(match(text) for text in texts)]
    support = cite(answer, matches, "How long does shipping take?")
    for citation in support.citations:
        assert citation.match is matches[citation.marker - 1]
        assert citation.quote
        assert citation.quote == citation.match.text[citation.chunk_span.start : citation.chunk_span.end]
    spans = [citation.answer_span for citation in support.citations] + support.unsupported
    for span in spans:
        assert 0 <= span.start < span.end <= len(support.answer)
        piece = support.answer[span.start : span.end]
        assert piece == piece.strip()
    assert not {c.answer_span for c in support.citations} & set(support.unsupported)
    letters = [character for character in support.answer if character.isalpha()]
    assert letters == [character for character in answer if character.isalpha()]


@given(st.text())
def test_without_matches_nothing_is_cited(answer: str):
    assert cite(answer, []).citations == []


GUIDE = [
    match("Apply for a card at https://library.example/cards before June."),
    match("가입은 www.서고.example 에서 한다."),
]


@pytest.mark.parametrize(
    "answer",
    ["Apply for a card at https://library.example/cards before June [1].", "가입은 www.서고.example 에서 한다."],
)
def test_an_address_of_the_source_stands(answer: str):
    assert unsupported(cite(answer, GUIDE)) == []


@pytest.mark.parametrize(
    "answer",
    [
        "Apply for a card at https://library.example/cards?d=secret before June [1].",
        "Apply for a card [before June](https://library.example.evil.example/cards).",
        "Apply for a card before June ![card](https://library.example/cards) [1].",
        "가입은 [여기](//evil.example)에서 한다.",
    ],
)
def test_an_address_that_no_source_holds_is_unsupported(answer: str):
    support = cite(answer, GUIDE)
    assert unsupported(support)
    assert not support.citations


def test_a_source_is_cited_though_the_model_saw_it_without_its_brackets():
    text = "Qwen ends a turn with <|im_end|> and Llama 2 with [/INST]."
    support = cite(new_fence().neutralise(text), [match(text)])
    assert quotes(support) == [(1, text)]
    assert support.unsupported == []

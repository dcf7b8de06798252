from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.language.sentences import goes_on, split_sentences


def sentences(text: str) -> list[str]:
    return [text[start:stop] for start, stop in split_sentences(text)]


ENGLISH = [
    ["Dr. Smith paid 3.5 dollars, e.g. for tea.", "It was No. 5.", "No.", "It was not."],
    ["Mr. J. K. Lee left the U.S. in 1999.", "The U.S. Army came.", "He lives in the U.S.", "He is fine."],
    ['"Really?" he asked.', 'She said "No."', "Then left.", "(See it.)", "Done!"],
    ["It takes 30 days. [1]", "Returns are free [2, 3].", "See https://a.b.c/d.html.", "Yes!"],
    ["It was built in 1889.[4]", "It stands.[5][6]", "Wait... what?", "Fine"],
    ["1. First of all, pay.", "Then wait."],
]
KOREAN = [
    ["이 법은 2024. 3. 1. 시행한다.", "다음은 부칙이다."],
    ["제3조. 목적은 그렇다.", "비율은 3.5%이다.", "네.", "그렇습니다!", "왜요?"],
    ['"가자." 라고 말했다.', "그는 '간다.'고 답했다.", "끝났다…", "그리고 갔다."],
    ["삼림 면적은 국토의 1/3을 차지한다. [10]", "나머지는 논이다."],
]


@pytest.mark.parametrize("expected", ENGLISH + KOREAN)
def test_prose(expected: list[str]):
    assert sentences(" ".join(expected)) == expected


def test_korean_without_the_space():
    assert sentences("비율은 3.5%이다.그리고 끝났다.") == ["비율은 3.5%이다.", "그리고 끝났다."]


def test_a_heading_an_item_and_a_row_are_sentences_of_their_own():
    lines = [
        "# Prices. And more",
        "Ours are low",
        "1. Tea",
        "2. Coffee",
        "- 녹차",
        "가. 홍차",
        "| a. b | c. |",
        "|---|---|",
        "end",
    ]
    assert sentences("\n".join(lines)) == lines


def test_lines_that_the_page_width_broke():
    text = (
        "The museum of the city of Norwich, built by Mr.\nWilliam Kent, holds more than 12\n"
        "thousand works from Roberts\nand others. It is open\non Sundays.\nOpening hours\nMonday"
    )
    assert sentences(text)[-3:] == ["It is open\non Sundays.", "Opening hours", "Monday"]
    korean = (
        "보험계약은 보험계약자와 보험회사 사이에 피보험자의 상해에 대한\r\n위험을 "
        "보장하기 위하여 체결됩니다. 다만 다른 조항에서\r\n달리 정의되지 않는 한 "
        "다음과 같습니다.\r\n가. 계약자\r\n나. 피보험자"
    )
    assert sentences(korean) == [
        "보험계약은 보험계약자와 보험회사 사이에 피보험자의 상해에 대한\r\n위험을 보장하기 위하여 체결됩니다.",
        "다만 다른 조항에서\r\n달리 정의되지 않는 한 다음과 같습니다.",
        "가. 계약자",
        "나. 피보험자",
    ]


@pytest.mark.parametrize(
    ("line", "following", "is_one"),
    [
        ("자전거를 실은 손님은", "열한 냥을 더 낸다.", True),
        ("짐은 선착장에서", "17시까지 내린다.", True),
        ("The ferry crosses from the quay to", "Kingston in an hour.", True),
        ("우리 마을", "마을은 섬에 있다.", False),
        ("이용 안내", "배는 아홉 시에 떠난다.", False),
        ("손님은", "누구인가", False),
        ("Opening hours", "Monday", False),
        ("어른과 손님은", "1. 어른", False),
    ],
)
def test_a_short_line_goes_on_after_a_word_that_ends_no_sentence(line, following, is_one):
    assert len(sentences(f"{line}\n{following}")) == (1 if is_one else 2)
    assert goes_on(f"Before.\n\n{line}", f"{following}\n\n뒤") == is_one


@pytest.mark.parametrize("text", ["", " ", "\n \t\u3000\n"])
def test_nothing_has_no_sentence(text: str):
    assert split_sentences(text) == []


STOPS = [". ", "? ", "...", '."', "。", "했다.", "Dr. ", "U.S. ", "2024. 3. 1. ", "가. ", "1. ", "[1]"]
LINES = ["\n", "\r\n", "\n\n", "\x85", "\u3000", " ", "| a |", "# "]
PIECES = st.sampled_from([*STOPS, *LINES, "그리고", "한글", "😀", "a"])


@given(st.one_of(st.text(), st.lists(PIECES, max_size=40).map("".join)))
def test_spans_are_trimmed_ordered_and_cover_every_letter(text: str):
    spans = split_sentences(text)
    covered = 0
    for start, stop in spans:
        assert covered <= start < stop <= len(text)
        assert not text[covered:start].strip()
        assert text[start:stop] == text[start:stop].strip()
        covered = stop
    assert not text[covered:].strip()


@pytest.mark.parametrize("unit", [".", " ", ". ", "\n", "a\n", "[1", '."', "1. ", "다.", "\t", "(", "|"])
def test_time_is_linear(unit: str):
    text = (unit * 400_000)[:400_000]
    started = time.thread_time()
    split_sentences(text)
    assert time.thread_time() - started < 5

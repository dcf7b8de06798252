"""A polite or spoken question is reduced to what it asks for."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.language.courtesy import bare_question


@pytest.mark.parametrize(
    "text",
    [
        "{} 알려 주세요",
        "{} 알려주십시오.",
        "{} 알 수 있을까요?",
        "{} 좀 알려줄래?",
        "{}에 대해 자세히 설명해 주실 수 있으신가요?",
        "{} 문의드립니다",
        "안녕하세요! {} 궁금해서 여쭤봅니다.",
        "저기요, {} 확인 부탁드릴게요",
        "그럼 {} 말씀해 주시면 감사하겠습니다.",
        "그건 그렇고 {} 어떻게 되나요?",
        "{} 있어?",
        "{} 가능한가요?",
        "감사합니다. {} 아시나요?",
        "{} 안내 바랍니다",
        "{} 안내해 주시기 바라요.",
        "{} 회신 바람",
        "{} 안내 요청드립니다",
        "{} 얼마임?",
        "{} 얼만가요",
        "{} 얼마지요?",
        "{} 뭔지 궁금합니다",
        "{} 어떻게 됨?",
        "{} 있음?",
        "안녕하세요 담당자님, {} 얼마인데요?",
    ],
)
def test_korean(text: str):
    assert bare_question(text.format("주차 요금")).rstrip(".?").removesuffix("에") == "주차 요금"


@pytest.mark.parametrize(
    "text",
    [
        "Please tell me {}",
        "Hi, could you tell me {}, please?",
        "I'd like to know {}.",
        "Would you mind telling us {}?",
        "Sorry to bother you, but {}?",
        "Thanks a lot! And I was wondering {}.",
        "Good morning, any idea {}?",
        "Just curious: {}? Many thanks in advance!",
        "Would you be so kind as to tell me {}?",
        "Could you please be kind enough to explain {}?",
        "Be so good as to let us know {}",
        "{}, mate?",
        "Hey mate, {}, please, mate?",
        "Good morning sir, {}? Cheers, folks!",
    ],
)
def test_english(text: str):
    assert bare_question(text.format("what parking costs")).rstrip(".?") == "what parking costs"


@pytest.mark.parametrize(
    "text",
    [
        "안내 데스크는 어디에 열려요?",
        "설명회는 몇 시에 시작하나요?",
        "확인서를 발급하는 부서는?",
        "감사 편지는 누가 쓰나요?",
        "pt.1과 2.43m의 차이는?",
        "What possible side effects does it have?",
        "Thank-you letters are sent when?",
        "Who helped to explain the law?",
        "What does the D.C. office need?",
        "오늘 바람",
        "누군가 왔나요?",
        "선생님 휴가는 며칠?",
        "안내 요청은 누가 하나요?",
        "Who is his mate?",
        "Mate selection: how does it work?",
        "How can staff be kind to guests?",
        "Is the committee made of teachers, parents, friends?",
        "안녕하세요",
        "Thanks!",
        "",
        "?!",
    ],
)
def test_what_is_asked_stays(text: str):
    assert bare_question(text) == text


def test_about_is_asked_in_several_ways():
    assert bare_question("What can you tell me about the pool?") == "the pool?"
    assert bare_question("How about Mondays?") == "Mondays?"


@given(st.text())
def test_something_is_left_of_every_text(text: str):
    assert bare_question(text).strip() or not text.strip()


@pytest.mark.parametrize(
    "unit",
    [
        "알려 ",
        "주세요 ",
        "수 있",
        "please ",
        "thanks, ",
        "...a",
        "좀",
        "?",
        ". ",
        "what about ",
        "mate, ",
        "바람 ",
        "be so ",
    ],
)
def test_the_time_grows_with_the_length(unit: str):
    short, long = (min(_seconds(unit * length) for _ in range(5)) for length in (2000, 4000))
    assert long < 3 * short + 0.005


def _seconds(text: str) -> float:
    before = time.thread_time()
    bare_question(text)
    return time.thread_time() - before

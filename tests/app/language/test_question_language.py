from __future__ import annotations

import pytest

from app.language.question_language import language_of


@pytest.mark.parametrize(
    "text",
    [
        "며칠 안에 반품하나요?",
        "API 키는?",
        "Python과 FastAPI를 함께 쓰는 방법",
        "The Economist 구독료는 얼마인가요?",
        "'NoneType' object is not iterable 오류는 왜 나나요?",
        "vLLM의 기본값",
        "ㅋㅋ",
        "세종",
    ],
)
def test_korean(text: str):
    assert language_of(text) == "ko"


@pytest.mark.parametrize(
    "text",
    [
        "How long?",
        "",
        "12",
        "What is 김치 made of?",
        "Who wrote 홍길동전?",
        "Please tell me about 한옥마을.",
        "Is 세종대왕 on the note?",
    ],
)
def test_english(text: str):
    assert language_of(text) == "en"

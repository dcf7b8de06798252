from __future__ import annotations

import pytest

from app.language.shelf_questions import is_about_the_shelf


@pytest.mark.parametrize(
    "text",
    [
        "여기에 어떤 자료들이 있나요?",
        "파일 목록 좀 보여 주세요",
        "뭘 물어보면 돼?",
        "넌 누구야?",
        "반갑습니다!",
        "전체 문서를 요약해 줘",
        "감사합니다",
        "Hi",
        "Good evening!",
        "List all your files, please",
        "What can I ask you about?",
        "Who are you?",
        "Summarize everything",
        "TL;DR",
        "Thanks a lot!",
    ],
)
def test_about_the_shelf(text: str):
    assert is_about_the_shelf(text)


@pytest.mark.parametrize(
    "text",
    [
        "요약 보고서의 제출 기한은?",
        "어떤 문서가 비자 신청에 필요한가요?",
        "자료 목록은 누가 관리하나요?",
        "인사 규정 요약은 어디에 있어?",
        "안녕하세요, 주차요금은?",
        "What documents are needed for a visa?",
        "Who summarizes the minutes?",
        "Show me the price list",
        "Thanks! When do you open?",
        "When?",
        "",
        "?",
    ],
)
def test_about_content(text: str):
    assert not is_about_the_shelf(text)

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
        "문서 몇 개 있어?",
        "문서가 총 몇 개인가요?",
        "몇 개의 문서가 저장되어 있나요?",
        "파일 몇 건이나 있나요?",
        "등록된 문서 수는?",
        "문서 제목 알려줘",
        "제목 목록 좀 보여 줄래?",
        "문서들의 제목을 모두 알려 주세요",
        "내가 올린 파일은?",
        "제가 어떤 파일을 올렸나요?",
        "어떤 주제를 다루나요?",
        "뭘 알고 있어?",
        "아는 게 뭐야?",
        "How many documents are there?",
        "How many files have I uploaded so far?",
        "Could you tell me how many documents are in the database?",
        "Are there any documents?",
        "What topics do you cover?",
        "What files did I upload?",
        "What have I added?",
        "List the titles",
        "What are the titles of the documents?",
        "What do you know?",
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
        "제출할 문서는 몇 개인가요?",
        "문서는 몇 개 필요해?",
        "문서가 몇 개 있어야 해?",
        "파일을 몇 개까지 올릴 수 있나요?",
        "문서 목록 주의사항은?",
        "문서 목록을 수정할 수 있나요?",
        "문서 제목은 어떻게 쓰나요?",
        "문서 제목 수정 방법",
        "계약서 제목이 뭐야?",
        "강의는 어떤 주제를 다루나요?",
        "How many documents are needed for a visa?",
        "How many documents do I have to submit?",
        "How many documents are there in the appendix?",
        "How many files can I upload?",
        "What files did the auditor upload?",
        "What topics does the course cover?",
        "List the titles of the board members",
        "What do you know about parking?",
        "",
        "?",
    ],
)
def test_about_content(text: str):
    assert not is_about_the_shelf(text)

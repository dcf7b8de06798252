"""Where a question of two parts is cut."""

from __future__ import annotations

import pytest

from app.language.question_parts import question_parts


@pytest.mark.parametrize(
    ("question", "cut"),
    [
        ("Who built the pier, and when did it burn?", ["Who built the pier", "when did it burn?"]),
        ("Who built it and in which year?", ["Who built it", "in which year?"]),
        ("When does it open? What does it cost?", ["When does it open?", "What does it cost?"]),
        ("언제 엽니까? 그리고 얼마입니까 오늘은?", ["언제 엽니까?", "얼마입니까 오늘은?"]),
        ("What do tea and coffee cost?", ["What do tea and coffee cost?"]),
        ("Who found the rocks, and where?", ["Who found the rocks, and where?"]),
        ("", [""]),
    ],
)
def test_a_question_is_cut_where_another_begins(question, cut):
    assert question_parts(question) == cut

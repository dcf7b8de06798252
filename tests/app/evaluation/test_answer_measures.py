"""What is measured of an answer, in both languages."""

from __future__ import annotations

import pytest

from app.evaluation.answer_measures import Case, has_value, measures

HOURS = {"input": "When does it open?", "expected": ["at nine"], "values": ["9:00"], "documents": ["hours"]}


@pytest.mark.parametrize(
    ("case", "text", "cited", "refused", "expected"),
    [
        (HOURS, "It opens at nine, 9:00 [1].", ["hours"], False, (1, 1, 1, 1, 1, 1)),
        (HOURS, "It opens at nine [1].", ["hours", "rules"], False, (0, 1, 1, 0, 0.5, 1)),
        (HOURS, "It opens at 9:00.", [], False, (0, 1, 0, 1, 0, 0)),
        (HOURS, "I don't know: at nine, 9:00", [], True, (0, 0, 0, 0, 0, 0)),
        ({"input": "q", "values": ["2억 원"]}, "예산은 200,000,000원이다.", [], False, (1, 1, None, 1, None, None)),
        (
            {"input": "q", "expected": ["월요일"]},
            "열람실은 월요일에 쉰다 [1].",
            ["a"],
            False,
            (1, 1, 1, None, None, None),
        ),
        ({"input": "q", "documents": ["a", "b"]}, "So it is [1].", ["a"], False, (1, 1, None, None, 1, 0.5)),
        ({"input": "q", "documents": ["a"]}, "So it is [1].", ["b"], False, (0, 1, None, None, 0, 0)),
        ({"input": "q"}, "So it is.", [], False, (None, 1, None, None, None, None)),
        ({"input": "q", "answerable": False}, "I don't know.", [], True, (1, 1, None, None, None, None)),
        ({"input": "q", "answerable": False}, "At nine [1].", ["hours"], False, (0, 0, None, None, None, None)),
    ],
)
def test_what_a_case_names_is_measured(case, text, cited, refused, expected):
    names = ("right", "refusal", "contains", "values", "citation_precision", "citation_recall")
    found = measures(Case(**case), text, cited, refused=refused)
    assert tuple(found.get(name) for name in names) == expected
    assert found.keys() <= set(names)


@pytest.mark.parametrize(
    ("text", "value", "there"),
    [
        ("It costs 30 euros.", "30", True),
        ("It costs 300 euros.", "30", False),
        ("It costs 1,030 euros.", "30", False),
        ("It costs 30.5 euros.", "30", False),
        ("It costs 30.", "30", True),
        ("It costs thirty euros.", "30", True),
        ("3년 안에", "3년", True),
        ("13년 안에", "3년", False),
        ("Section A-12b applies", "A-12", False),
        ("Section a-12 applies", "A-12", True),
        ("이억 원을 썼다", "200,000,000원", True),
        ("30퍼센트입니다", "30%", True),
        ("Call 02-123-4567 now", "021234567", True),
        ("version 1.2.3", "1.2", False),
    ],
)
def test_a_value_stands_whole_however_it_is_written(text, value, there):
    assert has_value(text, value) is there

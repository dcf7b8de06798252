from __future__ import annotations

import pytest

from app.language.sentences import split_sentences
from app.language.tables import header_record, headers_of, records

TABLE = "Before.\n\n| 품목 | 값 |\n| --- | ---: |\n| 꿀 | 5 |\n| 밀랍 | 7 |\n\nAfter | all.\n| a |\n| b |\n"


def test_a_row_has_its_tables_header():
    sentences = split_sentences(TABLE)
    headers = dict(zip((TABLE[slice(*each)] for each in sentences), headers_of(TABLE, sentences), strict=True))
    header = (TABLE.index("| 품목"), TABLE.index("| 꿀"))
    assert {each for each, found in headers.items() if found} == {"| 꿀 | 5 |", "| 밀랍 | 7 |"}
    assert set(headers.values()) == {header, None}


@pytest.mark.parametrize(
    ("second", "of_header"),
    [
        ("| 지역 | 남 | 여 |", True),
        ("| Region | men | women |", True),
        ("| 정선 | 12 | 13 |", False),
        ("| 정선 | 없음 | 없음 |", False),
    ],
)
def test_a_header_may_have_two_rows(second, of_header):
    text = f"| 지역 | 인구 | 인구 |\n| --- | --- | --- |\n{second}\n| 영월 | 가 | 나 |\n| 평창 | 다 | 라 |\n"
    headers = headers_of(text, split_sentences(text))
    header = text[: text.index("| 영월") if of_header else text.index(second)]
    assert {text[slice(*each)] for each in headers if each} == {header}
    assert [each is not None for each in headers] == [False, False, not of_header, True, True]


def test_two_tables_have_two_headers():
    text = "| a |\n| - |\n| 1 |\n\n| b |\n| - |\n| 2 |"
    headers = headers_of(text, split_sentences(text))
    assert [text[slice(*each)] if each else None for each in headers] == [
        None, None, "| a |\n| - |\n", None, None, "| b |\n| - |\n",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("text", "rows"),
    [
        ("a,b\n1,2\n", ["a,b", "1,2"]),
        ('이름,주소\n"김, 철수","서울\n종로"\n이,부산', ["이름,주소", '"김, 철수","서울\n종로"', "이,부산"]),
        ('a;b\n"one\ntwo";3\n', ["a;b", '"one\ntwo";3']),
        ('a,b\n5" nail,2\n6" nail,3', ["a,b", '5" nail,2', '6" nail,3']),
        ("\n\na,b\n\n1,2\n", ["a,b", "1,2"]),
        ("", []),
        ('a,b\n1,"open\n2,c\n3,"x ""y""\nz"\n4,d', ["a,b", '1,"open', "2,c", '3,"x ""y""\nz"', "4,d"]),
        ('매출, 6월\na;b\n"one\ntwo";3\n', ["매출, 6월", "a;b", '"one\ntwo";3']),
        (f'a,b\n"{"x" * 200_000}\nc,d', ["a,b", f'"{"x" * 200_000}', "c,d"]),
    ],
)
def test_records_are_whole(text, rows):
    assert [text[slice(*row)] for row in records(text)] == rows


@pytest.mark.parametrize(
    ("text", "header"),
    [
        ("plot,2021\nP1,5\n", "plot,2021\n"),
        ("연도,값\n2021,5", "연도,값\n"),
        ("2021,5\n2022,6\n", None),
        ("a,b\n", None),
        ("2029,2030\n서울,5\n부산,6\n", "2029,2030\n"),
        ("report\nsite|litres\nA|1\n", "site|litres\n"),
        ("2031년 월별 현황\n(단위: 원)\n\n월,수입,지출\n1월,5,3\n2월,6,4\n", "월,수입,지출\n"),
        ("Report; June, all sites;\n;;\nsite;litres;\nA;1,5;\nB;2,5;\n", "site;litres;\n"),
        ("보고서,,\n작성,김가람,\n\n,2030,2031\n서울,5,6\n부산,7,8\n", ",2030,2031\n"),
        ("note,value,remark\na,1,\nb,2,\nc,3,late\n", "note,value,remark\n"),
        ("names\nKim\nLee\n", "names\n"),
    ],
)
def test_the_first_record_that_names_the_columns_is_the_header_unless_it_begins_with_a_number(text, header):
    found = header_record(text, records(text))
    assert (text[slice(*found)] if found else None) == header

"""Numbers and telephone numbers are found in every spelling."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.language.analyzer import Analyzer
from app.language.content_words import content_words, terms_of
from app.language.numbers import plain_numbers


@pytest.mark.parametrize(
    ("texts", "plain"),
    [
        (["2,000원", "이천원", "2천 원", "이천 원"], "2000원"),
        (["200,000,000원", "2억원", "2억 원", "이억 원"], "200000000원"),
        (["13억 5천만 원", "십삼억 오천만 원", "1,350,000,000원"], "1350000000원"),
        (["1만 2천 5백 명", "12,500명", "만이천오백명"], "12500명"),
        (["열두 명", "열두명", "12명", "12 명"], "12명"),
        (["서른 살", "30살"], "30살"),
        (["two thousand", "2,000", "2k", "2 thousand"], "2000"),
        (["1.5 million", "1,500,000", "one million five hundred thousand"], "1500000"),
        (["three hundred and fifty", "350"], "350"),
        (["twelve hundred", "1,200"], "1200"),
        (["twenty-five thousand", "25k", "25,000"], "25000"),
        (
            ["031-777-8899", "031 777 8899", "031.777.8899", "(031) 777-8899", "031)777-8899", "+82 31-777-8899"],
            "0317778899",
        ),
        (["(415) 555-0132", "415-555-0132", "415.555.0132"], "4155550132"),
        (["07700-900-461", "07700 900 461"], "07700900461"),
    ],
)
def test_one_number_has_one_spelling(texts: list[str], plain: str):
    assert {plain_numbers(text) for text in texts} == {plain}


@pytest.mark.parametrize(
    "text",
    [
        "2019-03-01",
        "2024.01.08",
        "192.168.0.1",
        "제3조(목적)",
        "이천시",
        "천장",
        "열 시스템",
        "열 개방",
        "열쇠 세 개",
        "3만 5만",
        "one of them",
        "hundreds of",
        "0.5",
        "9" * 40,
    ],
)
def test_what_is_not_such_a_number_stays(text: str):
    assert plain_numbers(text) == text


def test_years_stay_findable_beside_what_may_be_a_telephone_number():
    assert plain_numbers("1592-1598") == "1592 1598 15921598"
    assert plain_numbers("3만 이상") == "30000 이상"


def test_a_telephone_number_is_found_whole_and_by_its_parts():
    analyzer = Analyzer("bigrams")
    assert set(analyzer.chunk_terms(None, "031-777-8899")) == {"031", "777", "8899", "0317778899"}
    assert analyzer.terms("031-777-8899") == analyzer.terms("0317778899") == ["0317778899"]
    assert set(content_words("0317778899")) <= {(term,) for term in terms_of("(031) 777-8899")}


@given(st.text())
def test_plain_numbers_are_plain(text: str):
    once = plain_numbers(text)
    assert len(once) <= 2 * len(text) + 40


@pytest.mark.parametrize(
    "unit", ["1", "12 ", "천", "이천 ", "3만 ", "two ", "two-", "열두 ", "0123-", "(0", "hundred and ", "1,000"]
)
def test_the_time_grows_with_the_length(unit: str):
    short, long = (min(_seconds(unit * length) for _ in range(5)) for length in (2000, 4000))
    assert long < 3 * short + 0.005


def _seconds(text: str) -> float:
    before = time.thread_time()
    plain_numbers(text)
    return time.thread_time() - before

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
        (["1조 2천억원", "일조 이천억 원", "1.2조 원", "1,200,000,000,000원"], "1200000000000원"),
        (["1경 2,345조 원", "12,345,000,000,000,000원"], "12345000000000000원"),
        (["二千원", "2千 원", "２，０００원", "２천원", "이천원"], "2000원"),
        (["壹百二十萬圓", "120萬圓", "1,200,000圓"], "1200000圓"),
        (["一兆二千億", "1,200,000,000,000"], "1200000000000"),
        (["1.5 million", "1,500,000", "one million five hundred thousand"], "1500000"),
        (["one and a half million", "a million and a half", "1.5 million", "1 and a half million"], "1500000"),
        (["two and a quarter thousand", "2,250"], "2250"),
        (["half a billion", "0.5bn", "５００，０００，０００"], "500000000"),
        (["three trillion", "3tn", "3 trillion"], "3000000000000"),
        (["two and a half hours", "2.5 hours"], "2.5 hours"),
        (["30 %", "30%", "30％", "30퍼센트", "30 퍼센트", "삼십 퍼센트", "30프로"], "30percent"),
        (["30 percent", "30 per cent", "thirty percent", "30-percent", "30 pct"], "30percent"),
        (["오 퍼센트의", "5%의", "5프로의"], "5percent의"),
        (["three hundred and fifty", "350"], "350"),
        (["twelve hundred", "1,200"], "1200"),
        (["twenty-five thousand", "25k", "25,000"], "25000"),
        (
            ["031-777-8899", "031 777 8899", "031.777.8899", "(031) 777-8899", "031)777-8899", "+82 31-777-8899"],
            "0317778899",
        ),
        (
            ["+82(0)31-777-8899", "+82 (0) 31 777 8899", "(+82) 31-777-8899", "0082-31-777-8899", "82-31-777-8899"],
            "0317778899",
        ),
        (["（０３１）７７７－８８９９", "+82 (031) 777-8899", "+8231-777-8899"], "0317778899"),
        (["(415) 555-0132", "415-555-0132", "415.555.0132"], "4155550132"),
        (["+1 (415) 555-0132", "1-415-555-0132", "001-415-555-0132", "+1415-555-0132"], "4155550132"),
        (["+44 (0)20 7946 0958", "+44 20 7946 0958", "020 7946 0958"], "02079460958"),
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
        "3조 명단",
        "3조 원칙",
        "3조 5명",
        "제3조 원",
        "제 3조 2항",
        "백조 한 마리",
        "三千里",
        "三星",
        "萬一",
        "三十六計",
        "half a day",
        "10프로젝트",
        "a%20b",
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
    assert set(analyzer.chunk_terms([], "031-777-8899")) == {"031", "777", "8899", "0317778899"}
    assert analyzer.terms("031-777-8899") == analyzer.terms("0317778899") == ["0317778899"]
    assert set(content_words("0317778899")) <= {(term,) for term in terms_of("(031) 777-8899")}


def test_a_percentage_is_found_in_the_other_language_and_without_its_particle():
    analyzer = Analyzer("bigrams")
    assert set(analyzer.terms("30%의")) == set(analyzer.terms("thirty percent")) == {"30percent", "30", "percent"}
    assert "percent" in analyzer.terms("몇 퍼센트 할인?")
    assert "percent" in analyzer.terms("What percentage?")
    assert set(content_words("30 퍼센트를")) == set(content_words("３０％")) == {("#30",)}


@given(st.text())
def test_plain_numbers_are_plain(text: str):
    once = plain_numbers(text)
    assert len(once) <= 8 * len(text) + 40


@pytest.mark.parametrize(
    "unit",
    [
        "1",
        "12 ",
        "천",
        "이천 ",
        "3만 ",
        "two ",
        "two-",
        "열두 ",
        "0123-",
        "(0",
        "hundred and ",
        "1,000",
        "1조 ",
        "일조",
        "2千",
        "+82 (0",
        "one and a half ",
    ],
)
def test_the_time_grows_with_the_length(unit: str):
    short, long = (min(_seconds(unit * length) for _ in range(5)) for length in (2000, 4000))
    assert long < 3 * short + 0.005


def _seconds(text: str) -> float:
    before = time.thread_time()
    plain_numbers(text)
    return time.thread_time() - before

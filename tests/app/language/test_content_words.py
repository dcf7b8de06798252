from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.language.content_words import content_words


def words(text: str) -> list[tuple[str, ...]]:
    return list(content_words(text))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("included", "including"),
        ("The city's cities", "city city"),
        ("thirty", "30"),
        ("1,000.50", "1000.5"),
        ("5 million", "5,000,000"),
        ("Café", "cafe"),
        ("학교에서", "학교가"),
        ("설립되었다", "설립했습니다"),
        ("3만 명", "30,000 명"),
        ("AI가", "AI는"),
        ("1545년에", "1545년이다"),
    ],
)
def test_inflection_and_writing_do_not_matter(one: str, other: str):
    assert words(one) == words(other)


def test_stop_words_carry_nothing():
    assert words("What is it? It is not that one. 그것은 무엇입니까?") == []


def test_a_korean_word_is_its_syllable_pairs():
    assert words("노르망디를 왕은") == [("노르", "르망", "망디"), ("왕은",)]


@given(st.text())
def test_the_normal_form_does_not_matter(text: str):
    assert words(unicodedata.normalize("NFD", text)) == words(unicodedata.normalize("NFC", text))
    assert all(term for word in words(text) for term in word)


def test_numbers_too_long_to_be_computed_with():
    assert words("9" * 5000 + "만") == [("#" + "9" * 5000,)]

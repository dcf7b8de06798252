"""What texts are found by, in both languages; and what hostile ones cost."""

from __future__ import annotations

import threading
import unicodedata

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.language.analyzer import MAX_TERM_LENGTH, Analyzer

BIGRAMS, KIWI = Analyzer("bigrams"), Analyzer("kiwi")


@pytest.mark.parametrize(
    ("text", "terms"),
    [
        ("The Libraries' librarian was running", ["librari", "librarian", "run"]),
        ("Who is it? What has been done?", []),
        ("The WHO told the US about IT", ["who", "told", "us", "it"]),
        ("Café, naïve and Ｆｕｌｌ", ["cafe", "naiv", "full"]),
        ("1,234,567 won and 3.5", ["1234567", "won", "3", "5"]),
        ("RTX4090", ["rtx4090", "rtx", "4090"]),
        ("RTX-4090", ["rtx", "4090"]),
        ("GPU를", ["gpu"]),
        ("2024년에", ["2024", "년"]),
        ("도서관에서", ["도서", "서관"]),
        ("도서관은 도서관의", ["도서", "서관", "도서", "서관"]),
        ("그것은 무엇입니까?", []),
        ("문서 보관", ["문서", "보관"]),
        ("책", ["책"]),
        ("大學校의 學生", ["大學", "學校", "學生"]),
        ("Москва́", ["москва"]),
        ("", []),
        (" .,!?\n", []),
    ],
)
def test_words(text: str, terms: list[str]):
    assert BIGRAMS.terms(text) == terms


@pytest.mark.parametrize(
    ("text", "morphemes"),
    [
        ("학생을 가르쳤다", ["학생", "가르치"]),
        ("날씨가 더워서 창문을 열었습니다", ["날씨", "덥", "창문", "열"]),
        ("GPU를 샀다", ["사"]),
        ("English only, 漢字", []),
    ],
)
def test_kiwi_adds_morphemes(text: str, morphemes: list[str]):
    assert KIWI.terms(text) == BIGRAMS.terms(text) + morphemes


def test_inflected_words_meet_only_with_kiwi():
    question, text = "더운 날", "날이 더워요"
    assert "덥" in set(KIWI.terms(question)) & set(KIWI.terms(text))
    assert not set(BIGRAMS.terms("더운")) & set(BIGRAMS.terms("더워요"))


def test_a_title_counts_in_each_chunk():
    assert BIGRAMS.chunk_terms(["Returns"], "Thirty days.") == ["return", "30", "day", "=en"]
    assert BIGRAMS.chunk_terms([], "Thirty days.") == ["30", "day", "=en"]


@pytest.mark.parametrize(
    ("text", "mark"),
    [
        ("The rose garden is watered at dawn.", ["=en"]),
        ("장미에는 새벽에 물을 줍니다.", ["=ko"]),
        ("서버는 Docker Compose로 시작하고 포트는 8000입니다.", ["=ko"]),
        ("Kimchi (김치) is made of salted cabbage.", ["=en"]),
        (unicodedata.normalize("NFD", "장미"), ["=ko"]),
        ("031-777-8899", []),
    ],
)
def test_a_chunk_is_marked_with_its_language(text: str, mark: list[str]):
    assert [term for term in BIGRAMS.chunk_terms([], text) if term.startswith("=")] == mark
    assert not [term for term in BIGRAMS.terms(f"=ko =en {text}") if term.startswith("=")]


def test_the_name_tells_the_scheme():
    assert KIWI.name != BIGRAMS.name


@pytest.mark.parametrize("analyzer", [BIGRAMS, KIWI], ids=["bigrams", "kiwi"])
@given(st.text())
@settings(max_examples=50, deadline=None)
def test_the_normal_form_does_not_matter(analyzer: Analyzer, text: str):
    terms = analyzer.terms(unicodedata.normalize("NFC", text))
    assert analyzer.terms(unicodedata.normalize("NFD", text)) == terms
    assert all(0 < len(term) <= 2 * MAX_TERM_LENGTH for term in terms)


@pytest.mark.parametrize("piece", ["a", "1", "a1", "'", "1,", "가나", "가http://", "\u0301", "한 ", "\n", "ㅋ"])
def test_a_megabyte_without_a_word_boundary(piece: str):
    assert all(len(term) <= 2 * MAX_TERM_LENGTH for term in BIGRAMS.terms(piece * (1_000_000 // len(piece))))


@pytest.mark.parametrize("piece", ["가", "하다가나는데고이지만", "가http://aaaa", "나a"])
def test_kiwi_is_handed_pieces(piece: str):
    """In one piece these take the square of their length."""
    assert KIWI.terms(piece * (20_000 // len(piece)))


def test_threads_share_an_analyzer():
    text = "도서관에서 책을 빌렸습니다. The libraries were running quickly through 2024. " * 20
    expected, found = KIWI.terms(text), []
    threads = [threading.Thread(target=lambda: found.append(KIWI.terms(text))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [expected] * 8

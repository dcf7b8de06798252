"""Spaces of Korean lines, where Tesseract puts one between any two syllables."""

from __future__ import annotations

import numpy as np
import pytest

from ingest.ocr.spacing import words_of
from ingest.ocr.tesseract import Symbol


def drawn(words: list[str], *, between: int, space: int) -> tuple[list[Symbol], np.ndarray]:
    """Draw each character 30 wide, and let each but the further digits begin a word, as Tesseract does."""
    symbols, x = [], 10
    for word in words:
        for number, character in enumerate(word):
            begins = number == 0 or not character.isdigit()
            symbols.append(Symbol(character, x, 10, x + 30, 44, 95.0, begins))
            x += 30 + between
        x += space - between
    ink = np.zeros((60, x), bool)
    for symbol in symbols:
        ink[12:42, symbol.left : symbol.right] = True
    return symbols, ink


@pytest.mark.parametrize(("between", "space"), [(2, 14), (8, 22), (10, 26), (0, 12), (3, 10), (2, 9)])
@pytest.mark.parametrize("words", [["규장각", "열람실은", "문을", "연다"], ["이", "책의", "권수는", "30권이다"]])
def test_words_are_parted_by_the_wider_blanks(words, between, space):
    symbols, ink = drawn(words, between=between, space=space)
    assert [word.text for word in words_of(symbols, ink)] == words


def test_a_box_that_reaches_into_the_next_word_moves_no_space():
    symbols, ink = drawn(["보험", "계약의", "효력이"], between=4, space=20)
    first = symbols[1]
    symbols[1] = Symbol(first.text, first.left, first.top, first.right + 25, first.bottom + 40, 90.0, True)
    assert [word.text for word in words_of(symbols, ink)] == ["보험", "계약의", "효력이"]


def test_latin_words_keep_tesseracts_spaces():
    symbols, ink = drawn(["rare"], between=20, space=20)
    symbols = [Symbol(s.text, s.left, s.top, s.right, s.bottom, 95.0, n == 0) for n, s in enumerate(symbols)]
    assert [word.text for word in words_of(symbols, ink)] == ["rare"]

"""Spaces of Korean lines, where Tesseract puts one between any two syllables."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

import numpy as np
import pytest

from ingest.ocr.spacing import measured, widest_inside, words_of
from ingest.ocr.tesseract import Symbol


def drawn(
    words: list[str], *, between: int, space: int, nearer: Mapping[int, int] = MappingProxyType({})
) -> tuple[list[Symbol], np.ndarray]:
    """Draw each character 30 wide, and let each but the further digits begin a word, as Tesseract does. Some are
    `nearer` to the one before."""
    symbols, x = [], 10
    for word in words:
        for number, character in enumerate(word):
            begins = number == 0 or not character.isdigit()
            x -= nearer.get(len(symbols), 0)
            symbols.append(Symbol(character, x, 10, x + 30, 44, 95.0, begins))
            x += 30 + between
        x += space - between
    ink = np.zeros((60, x), bool)
    for symbol in symbols:
        ink[12:42, symbol.left : symbol.right] = True
    return symbols, ink


def parted(*lines: tuple[list[Symbol], np.ndarray]) -> list[list[str]]:
    page = [measured(symbols, ink) for symbols, ink in lines]
    widest = widest_inside(page)
    return [[word.text for word in words_of(line, widest)] for line in page]


@pytest.mark.parametrize(("between", "space"), [(2, 14), (8, 22), (10, 26), (0, 12), (3, 10), (2, 9)])
@pytest.mark.parametrize("words", [["규장각", "열람실은", "문을", "연다"], ["이", "책의", "권수는", "30권이다"]])
def test_words_are_parted_by_the_wider_blanks(words, between, space):
    symbols, ink = drawn(words, between=between, space=space)
    assert parted((symbols, ink)) == [words]


def test_a_box_that_reaches_into_the_next_word_moves_no_space():
    symbols, ink = drawn(["보험", "계약의", "효력이"], between=4, space=20)
    first = symbols[1]
    symbols[1] = Symbol(first.text, first.left, first.top, first.right + 25, first.bottom + 40, 90.0, True)
    assert parted((symbols, ink)) == [["보험", "계약의", "효력이"]]


def test_latin_words_keep_tesseracts_spaces():
    symbols, ink = drawn(["rare"], between=20, space=20)
    symbols = [Symbol(s.text, s.left, s.top, s.right, s.bottom, 95.0, n == 0) for n, s in enumerate(symbols)]
    assert parted((symbols, ink)) == [["rare"]]


def test_a_line_whose_narrowest_space_is_near_its_widest_letter_is_parted_as_the_page():
    words = ["여러분과", "짝사랑", "상대를", "위해"]
    line = drawn(words, between=4, space=18, nearer={4: 8, 1: -3, 2: -4})
    others = [drawn(words, between=4, space=12, nearer={1: -2, 4: 1, 7: -1, 10: nearer}) for nearer in (-1, 0, 1)]
    assert parted(line, *others) == [words] * 4

"""The time that a page takes grows with what is on it and no faster."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest

from tests.ingest.loading.pdf.reading import read
from tests.ingest.made.pages import Sheet

FEW, MANY = 40, 320
MOST_TWICE = 2.6


def lines(count: int) -> Sheet:
    sheet = Sheet()
    for number in range(count):
        sheet.text(20 + number % 5 * 110, 830 - number // 5 * 4000 / count, f"Lamp {number} 등불 {number}", 3)
    return sheet


def cells(count: int) -> Sheet:
    sheet = lines(count)
    return sheet.grid([15 + 110 * place for place in range(6)], [834 - row * 4000 / count for row in range(count // 5)])


def one_word(count: int) -> Sheet:
    return Sheet().text(20, 700, "가나" * 20 * count, 0.1 * 2200 / count)


def aslant(count: int) -> Sheet:
    return Sheet().text(20, 20, "등불 " * 10 * count, 0.1 * 2200 / count, matrix="0.7071 0.7071 -0.7071 0.7071")


@pytest.mark.parametrize("make", [lines, cells, one_word, aslant])
def test_a_page_costs_what_is_on_it(tmp_path, make: Callable[[int], Sheet]):
    def cost(count: int) -> float:
        sheet = make(count)
        costs = []
        for _ in range(3):
            start = time.thread_time()
            read(tmp_path, [sheet])
            costs.append(time.thread_time() - start)
        return min(costs)

    cost(FEW)
    few, many = cost(FEW), cost(MANY)
    assert many < max(few, 0.002) * MOST_TWICE**3

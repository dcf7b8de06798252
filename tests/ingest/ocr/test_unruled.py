"""Tables without lines on scans, found by where their words stand."""

from __future__ import annotations

from ingest.ocr.spacing import Word
from ingest.ocr.unruled import unruled_tables

DPI, LINE, LETTER = 300, 60, 24
GOODS = [["품목", "수량", "값"], ["밧줄", "12", "4,000"], ["등불", "3", "900"], ["노", "7", "2,100"]]
PROSE = "The ferry leaves at dawn and comes back at dusk with the mail of both towns on board of it"


def line(top: int, *cells: tuple[int, str]) -> list[Word]:
    """Write words from so many pixels on."""
    words = []
    for left, text in cells:
        for word in text.split():
            words.append(Word(word, left, top, left + LETTER * len(word), top + 40))
            left += LETTER * (len(word) + 1)
    return words


def rows(table: list[list[str]], top: int = 0) -> list[list[Word]]:
    return [line(top + LINE * row, *zip((0, 500, 900), cells, strict=True)) for row, cells in enumerate(table)]


def texts(lines: list[list[Word]]) -> list[list[list[str]]]:
    found = unruled_tables(lines, DPI)
    return [[[" ".join(word.text for word in cell) for cell in row] for row in table.rows] for table in found]


def test_columns_of_short_cells_are_a_table_wherever_the_lines_were_found():
    assert texts(rows(GOODS)) == [GOODS]
    by_column = [[word] for column in zip(*rows(GOODS), strict=True) for word in column]
    assert texts(by_column) == [GOODS]


def test_the_text_around_a_table_stays_outside():
    lines = [line(0, (0, PROSE)), *rows(GOODS, 300), line(800, (0, PROSE))]
    (found,) = unruled_tables(lines, DPI)
    assert found.lines == {1, 2, 3, 4}


def test_what_is_not_surely_a_table_is_none():
    halves = [line(LINE * row, (0, PROSE[:40]), (1100, PROSE[40:])) for row in range(8)]
    assert texts(halves) == []
    assert texts(rows(GOODS[:2])) == []
    assert texts([line(LINE * row, (0, "Name"), (600, "Gabriel Diaz")) for row in range(6)]) == []
    assert texts([]) == texts([[]]) == []

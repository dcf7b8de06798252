"""Pages drawn from boxes: what is divided from what, without Tesseract."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from ingest.ocr.layout import lay_out
from ingest.ocr.sheet import skew, straightened
from ingest.ocr.tables import Box, Table

DPI = 100


def page(height: int = 800, width: int = 600) -> np.ndarray:
    return np.full((height, width), 255, np.uint8)


def write(gray: np.ndarray, left: int, top: int, right: int, lines: int) -> None:
    """Draw lines of text as dashes."""
    for line in range(lines):
        for x in range(left, right, 12):
            gray[top + 16 * line : top + 16 * line + 8, x : min(right, x + 8)] = 0


def rule(gray: np.ndarray, xs: list[int], ys: list[int]) -> None:
    for y in ys:
        gray[y : y + 2, xs[0] : xs[-1] + 2] = 0
    for x in xs:
        gray[ys[0] : ys[-1] + 2, x : x + 2] = 0


def test_a_ruled_table_has_its_cells_and_the_text_around_it_its_place():
    gray = page()
    write(gray, 60, 40, 540, 3)
    rule(gray, [60, 200, 540], [150, 190, 230, 270])
    write(gray, 70, 160, 130, 1)
    write(gray, 60, 330, 540, 3)
    above, table, below = lay_out(gray, DPI).regions
    assert isinstance(table, Table)
    assert (table.rows, table.columns, len(table.cells)) == (3, 2, 6)
    assert isinstance(above, Box)
    assert isinstance(below, Box)
    assert above.bottom < table.box.top < table.box.bottom < below.top


def test_a_merged_cell_spans_rows_and_a_table_may_lack_its_sides():
    gray = page()
    for y in (100, 140, 180):
        gray[y : y + 2, 60:540] = 0
    gray[100:182, 250:252] = 0
    # Between the two rows of the left column there is no line.
    gray[140:142, 60:250] = 255
    (table,) = [each for each in lay_out(gray, DPI).regions if isinstance(each, Table)]
    cells = {(cell.row, cell.column): (cell.rows, cell.columns) for cell in table.cells}
    assert cells == {(0, 0): (2, 1), (0, 1): (1, 1), (1, 1): (1, 1)}


def test_columns_are_read_one_after_the_other():
    gray = page()
    write(gray, 40, 60, 270, 20)
    write(gray, 330, 60, 560, 20)
    first, second = lay_out(gray, DPI).regions
    assert first.right <= 270 + 12 <= second.left


@pytest.mark.parametrize("degrees", [-3, -0.5, 0.5, 2, 4])
def test_a_crooked_page_is_straightened(degrees):
    gray = page()
    write(gray, 60, 100, 540, 30)
    turned = np.asarray(Image.fromarray(gray).rotate(degrees, resample=Image.Resampling.BICUBIC, fillcolor=255))
    assert skew(turned < 128, DPI) == pytest.approx(-degrees, abs=0.15)
    sheet = straightened(turned, DPI)
    assert skew(sheet.ink, DPI) == pytest.approx(0, abs=0.15)
    # A corner of the text lies where it lay.
    x, y = sheet.on_page(60, 100)
    assert turned[max(0, round(y) - 3) : round(y) + 12, max(0, round(x) - 3) : round(x) + 12].min() < 128


def test_a_blank_page_has_nothing():
    assert lay_out(page(), DPI).regions == []

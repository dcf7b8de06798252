"""Finds tables without lines among the words of a scan: by the finder of such tables in PDFs, kept where it is sure."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

from ingest.loading.parsers.pdf import tables as pdf_tables
from ingest.loading.parsers.pdf import words as pdf_words
from ingest.loading.parsers.pdf.layout import arrange
from ingest.ocr.pictures import POINTS
from ingest.ocr.spacing import Word

Words = list[Word]
STYLE = pdf_words.Style(angle=0, font=0, invisible=False, white=False)
# What is surely a table: so many rows and columns, short cells most of which are filled, and figures or many columns.
MIN_ROWS, MIN_CELLS, MIN_FILLED, MAX_CELL, USUAL_CELL = 3, 8, 0.75, 60, 20
MIN_FIGURES = 0.5
FIGURE = re.compile(r"\d")


@dataclass(frozen=True, slots=True)
class Unruled:
    """`rows` holds the words of each cell, `lines` the numbers of the lines that the table is made of."""

    rows: list[list[Words]]
    lines: frozenset[int]


def unruled_tables(lines: Sequence[Words], dpi: int) -> list[Unruled]:
    """Return the tables among lines of text that no ruled table parts, from the top."""
    items = [item for number, line in enumerate(lines) if line for item in _items(number, line, POINTS / dpi)]
    regions = arrange(items, 0) if items else []
    tables = [_table(each, lines) for each in regions if isinstance(each, pdf_tables.Table)]
    return [each for each in tables if each is not None and _is_sure(each)]


def _items(number: int, line: Words, scale: float) -> list[pdf_words.Word]:
    """Return the words, as high as their line: the box of a dash is low."""
    top, bottom = (scale * median(sides) for sides in ([each.top for each in line], [each.bottom for each in line]))
    return [
        pdf_words.Word(each.text, (number, place), scale * each.left, top, scale * each.right, bottom, STYLE)
        for place, each in enumerate(line)
    ]


def _table(found: pdf_tables.Table, lines: Sequence[Words]) -> Unruled | None:
    """Return None if a line stands in the table only in part."""
    cells: dict[tuple[int, int], Words] = {}
    taken: set[tuple[int, int]] = set()
    for cell in found.cells:
        places = [(word.sources[0], word.sources[1]) for word in cell.words]
        cells[cell.row, cell.column] = [lines[number][place] for number, place in places]
        taken.update(places)
    own = frozenset(number for number, _ in taken)
    if len(taken) != sum(len(lines[number]) for number in own):
        return None
    rows, columns = ({each[side] for each in cells} for side in (0, 1))
    return Unruled([[cells.get((row, column), []) for column in sorted(columns)] for row in sorted(rows)], own)


def _is_sure(table: Unruled) -> bool:
    texts = [[" ".join(word.text for word in cell) for cell in row] for row in table.rows]
    filled = [text for row in texts for text in row if text]
    rows, columns = len(texts), len(texts[0])
    if rows < MIN_ROWS or columns < 2 or len(filled) < max(MIN_CELLS, MIN_FILLED * rows * columns):
        return False
    if max(map(len, filled)) > MAX_CELL or median(map(len, filled)) > USUAL_CELL:
        return False
    below = [[text for text in column[1:] if text] for column in zip(*texts, strict=True)]
    figures = [sum(bool(FIGURE.search(text)) for text in column) for column in below[1:]]
    return columns > 2 or any(many >= MIN_FIGURES * (rows - 1) for many in figures)

"""Reads one page: its blocks and cells one by one, in Korean, and in English where nothing is Korean."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import chain, groupby

import numpy as np

from app.language.hangul import SYLLABLES
from app.storage.words import WordBox
from app.tesseract import ENGLISH, KOREAN
from ingest.loading.clean_text import clean_text
from ingest.ocr.layout import lay_out, trim
from ingest.ocr.pictures import POINTS, Picture
from ingest.ocr.sheet import Sheet
from ingest.ocr.spacing import MeasuredLine, Word, measured, widest_inside, words_of
from ingest.ocr.tables import Box, Table
from ingest.ocr.tesseract import BLOCK, LINE, Line, Tesseract
from ingest.ocr.unruled import unruled_tables

# White around a block, which Tesseract wants; in inches.
MARGIN = 0.04
# A lower box holds one line; in inches.
ONE_LINE = 0.24
# Dirt is read as letters that Tesseract itself doubts.
MIN_CONFIDENCE = 40.0
# What is hardly Korean may be English: what the Korean model makes of it has a few syllables.
MIN_KOREAN = 0.3
SPACE, BETWEEN_LINES, BETWEEN_BLOCKS = " ", "\n", "\n\n"

SYLLABLE = re.compile(rf"[{SYLLABLES}]")

Words = list[Word]


@dataclass(slots=True)
class PageText:
    sheet: Sheet
    text: str = ""
    words: list[WordBox] = field(default_factory=list)

    def add(self, text: str) -> None:
        self.text += text

    def add_words(self, words: Words, *, escaped: bool = False) -> None:
        for number, word in enumerate(words):
            text = clean_text(word.text.replace("|", r"\|") if escaped else word.text)
            self.add(SPACE if number else "")
            start = len(self.text)
            self.add(text)
            self.words.append(self._box(word, start))

    def _box(self, word: Word, start: int) -> WordBox:
        scale = POINTS / self.sheet.dpi
        middle = self.sheet.on_page((word.left + word.right) / 2, (word.top + word.bottom) / 2)
        width, height = (word.right - word.left) * scale, (word.bottom - word.top) * scale
        left, top = middle[0] * scale - width / 2, middle[1] * scale - height / 2
        return WordBox(start, len(self.text), left, top, width, height)


class PageReader:
    """Reads pages with Tesseract. Raises OSError where it is not installed."""

    @cached_property
    def _korean(self) -> Tesseract:
        return Tesseract(KOREAN)

    @cached_property
    def _english(self) -> Tesseract:
        return Tesseract(ENGLISH)

    def read(self, picture: Picture) -> PageText:
        layout = lay_out(picture.gray, picture.dpi)
        page = PageText(layout.sheet)
        lines = {box: self._lines(page.sheet, box) for region in layout.regions for box in _boxes(region, page.sheet)}
        widest = widest_inside(chain.from_iterable(lines.values()))
        words = {box: [words_of(line, widest) for line in lines[box]] for box in lines}
        for is_block, regions in groupby(layout.regions, lambda region: isinstance(region, Box)):
            if is_block:
                _add_blocks(page, [words[region] for region in regions if isinstance(region, Box)])
                continue
            for table in (region for region in regions if isinstance(region, Table)):
                cells = [list(chain.from_iterable(words[box])) for box in _boxes(table, page.sheet)]
                _add_table(page, table, cells)
                page.add(BETWEEN_BLOCKS)
        page.text = page.text.rstrip("\n")
        return page

    def _lines(self, sheet: Sheet, box: Box) -> list[MeasuredLine]:
        found = trim(sheet.ink, box)
        if found is None or max(found.right - found.left, found.bottom - found.top) < ONE_LINE / 5 * sheet.dpi:
            return []
        margin = round(MARGIN * sheet.dpi)
        gray = np.pad(sheet.gray[found.top : found.bottom, found.left : found.right], margin, constant_values=255)
        ink = np.pad(sheet.ink[found.top : found.bottom, found.left : found.right], margin)
        segmentation = LINE if found.bottom - found.top < ONE_LINE * sheet.dpi else BLOCK
        lines = self._korean.read(gray, segmentation, sheet.dpi)
        if _korean_share(lines) < MIN_KOREAN:
            lines = max(lines, self._english.read(gray, segmentation, sheet.dpi), key=_confidence)
        kept = (line for line in lines if _confidence([line]) >= MIN_CONFIDENCE)
        right, down = found.left - margin, found.top - margin
        return [_moved(measured(line.symbols, ink), right, down) for line in kept]


def _boxes(region: Table | Box, sheet: Sheet) -> list[Box]:
    """Return the insides of a table's cells, or the block itself."""
    if isinstance(region, Box):
        return [region]
    inside = max(2, sheet.dpi // 60)
    boxes = (cell.box for cell in region.cells)
    return [Box(box.left + inside, box.top + inside, box.right - inside, box.bottom - inside) for box in boxes]


def _add_table(page: PageText, table: Table, cells: list[Words]) -> None:
    """Write a pipe table. A merged cell is repeated down, and across in the first row."""
    squares: dict[tuple[int, int], Words] = {}
    for cell, words in zip(table.cells, cells, strict=True):
        across = cell.columns if cell.row == 0 else 1
        for row in range(cell.row, cell.row + cell.rows):
            squares |= {(row, cell.column + number): words for number in range(across)}
    _add_rows(page, [[squares.get((row, each), []) for each in range(table.columns)] for row in range(table.rows)])


def _add_rows(page: PageText, rows: Sequence[Sequence[Words]]) -> None:
    for number, row in enumerate(rows):
        page.add("|")
        for cell in row:
            page.add(SPACE)
            page.add_words(cell, escaped=True)
            page.add(" |")
        page.add(BETWEEN_LINES)
        if number == 0:
            page.add("|" + " --- |" * len(row) + BETWEEN_LINES)


def _add_blocks(page: PageText, blocks: Sequence[Sequence[Words]]) -> None:
    """Write blocks that follow one another, with the tables that stand across them."""
    lines = [line for block in blocks for line in block]
    tables = unruled_tables(lines, page.sheet.dpi)
    owner = {number: table for table in tables for number in table.lines}
    written, first = set[int](), 0
    for block in blocks:
        for number in range(first, first + len(block)):
            table = owner.get(number)
            if table is None:
                page.add(BETWEEN_LINES if number > first and page.text[-1:] not in ("", "\n") else "")
                page.add_words(lines[number])
            elif id(table) not in written:
                written.add(id(table))
                page.add(BETWEEN_BLOCKS if page.text[-1:] not in ("", "\n") else "")
                _add_rows(page, table.rows)
                page.add(BETWEEN_LINES)
        first += len(block)
        if page.text[-1:] not in ("", "\n"):
            page.add(BETWEEN_BLOCKS)


def _confidence(lines: list[Line]) -> float:
    found = [symbol.confidence for line in lines for symbol in line.symbols]
    return float(np.mean(found)) if found else 0.0


def _korean_share(lines: list[Line]) -> float:
    found = [bool(SYLLABLE.match(symbol.text)) for line in lines for symbol in line.symbols]
    return sum(found) / len(found) if found else 0.0


def _moved(line: MeasuredLine, right: int, down: int) -> MeasuredLine:
    symbols = [
        replace(each, left=each.left + right, right=each.right + right, top=each.top + down, bottom=each.bottom + down)
        for each in line.symbols
    ]
    return replace(line, symbols=symbols)

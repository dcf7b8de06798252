"""Divides a page into tables and blocks of text in reading order."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ingest.ocr.rulings import Ruling, level_and_upright
from ingest.ocr.sheet import Sheet, straightened
from ingest.ocr.tables import Box, Table, tables_of
from ingest.ocr.tesseract import Gray

# In inches: a blank of such a width, through lines of such a height together, parts columns.
COLUMN_GAP, COLUMN_HEIGHT = 0.2, 1.2
# Of the rows of a column, so many have ink; else its lines belong to those beside them.
COLUMN_FULL = 0.3
BLOCK_GAP, WIDER_GAP = 0.12, 1.6
MIN_SIDE = 0.03
MAX_DEPTH = 12


@dataclass(frozen=True, slots=True)
class Layout:
    """`sheet` without its ruled lines."""

    sheet: Sheet
    regions: list[Table | Box]


def lay_out(gray: Gray, dpi: int) -> Layout:
    sheet = straightened(gray, dpi)
    level, upright = level_and_upright(sheet.ink, dpi)
    tables = _outermost(tables_of(level, upright, dpi))
    clean = sheet.gray.copy()
    for line in level:
        clean[max(0, line.low - 1) : line.high + 1, line.start : line.stop] = 255
    for line in _in_tables(upright, tables):
        clean[line.start : line.stop, max(0, line.low - 1) : line.high + 1] = 255
    sheet = Sheet(clean, clean < 160, sheet.angle, dpi)
    outside = sheet.ink.copy()
    for table in tables:
        outside[table.box.top : table.box.bottom, table.box.left : table.box.right] = False
    whole = Box(0, 0, gray.shape[1], gray.shape[0])
    regions = list(_parted(outside, whole, tables, dpi))
    return Layout(sheet, regions)


def _in_tables(lines: list[Ruling], tables: list[Table]) -> Iterator[Ruling]:
    """Yield upright lines of tables: another may be a stroke of a large letter."""
    for line in lines:
        for table in tables:
            if table.box.left - 9 <= line.at <= table.box.right + 9 and line.start < table.box.bottom:
                yield line
                break


def _outermost(tables: list[Table]) -> list[Table]:
    """Leave out tables inside cells of others: their text is that of the cell."""
    return [each for each in tables if not any(other is not each and _within(each.box, other.box) for other in tables)]


def _within(inner: Box, outer: Box) -> bool:
    return (
        outer.left <= inner.left
        and inner.right <= outer.right
        and outer.top <= inner.top
        and inner.bottom <= outer.bottom
    )


def _parted(ink: NDArray[np.bool_], page: Box, tables: list[Table], dpi: int) -> Iterator[Table | Box]:
    """Yield the bands above, between and below the tables, each divided. Tables side by side go by their top."""
    at = page.top
    for table in sorted(tables, key=lambda each: (each.box.top, each.box.left)):
        if table.box.top > at:
            yield from blocks(ink, Box(page.left, at, page.right, table.box.top), dpi)
        yield table
        at = max(at, table.box.top)
    yield from blocks(ink, Box(page.left, at, page.right, page.bottom), dpi)


def blocks(ink: NDArray[np.bool_], box: Box, dpi: int, depth: int = 0) -> Iterator[Box]:
    """Divide where a wide blank goes through: between columns first, then between paragraphs."""
    trimmed = trim(ink, box)
    if trimmed is None or min(trimmed.right - trimmed.left, trimmed.bottom - trimmed.top) < MIN_SIDE * dpi:
        return
    part = ink[trimmed.top : trimmed.bottom, trimmed.left : trimmed.right]
    cut = _between_columns(part, dpi) if depth < MAX_DEPTH else None
    if cut is not None:
        middle = trimmed.left + cut
        yield from blocks(ink, Box(trimmed.left, trimmed.top, middle, trimmed.bottom), dpi, depth + 1)
        yield from blocks(ink, Box(middle, trimmed.top, trimmed.right, trimmed.bottom), dpi, depth + 1)
        return
    row = _between_paragraphs(part, dpi) if depth < MAX_DEPTH else None
    if row is None:
        yield trimmed
        return
    middle = trimmed.top + row
    yield from blocks(ink, Box(trimmed.left, trimmed.top, trimmed.right, middle), dpi, depth + 1)
    yield from blocks(ink, Box(trimmed.left, middle, trimmed.right, trimmed.bottom), dpi, depth + 1)


def trim(ink: NDArray[np.bool_], box: Box) -> Box | None:
    """Return the box without its blank edges, None if it is blank."""
    part = ink[box.top : box.bottom, box.left : box.right]
    rows, columns = np.flatnonzero(part.any(axis=1)), np.flatnonzero(part.any(axis=0))
    if not len(rows):
        return None
    left, top = box.left + int(columns[0]), box.top + int(rows[0])
    return Box(left, top, box.left + int(columns[-1]) + 1, box.top + int(rows[-1]) + 1)


def _gaps(filled: NDArray[np.bool_]) -> list[tuple[int, int]]:
    """Return (start, stop) of the runs without ink."""
    edges = np.flatnonzero(np.diff(np.concatenate(([False], ~filled, [False])).astype(np.int8)))
    return [(int(start), int(stop)) for start, stop in zip(edges[::2], edges[1::2], strict=True)]


def _between_columns(part: NDArray[np.bool_], dpi: int) -> int | None:
    if part.shape[0] < COLUMN_HEIGHT * dpi:
        return None
    gaps = [(stop - start, (start + stop) // 2) for start, stop in _gaps(np.any(part, axis=0))]
    for width, middle in sorted(gaps, reverse=True):
        if width < COLUMN_GAP * dpi:
            return None
        if min(part[:, :middle].any(axis=1).mean(), part[:, middle:].any(axis=1).mean()) >= COLUMN_FULL:
            return middle
    return None


def _between_paragraphs(part: NDArray[np.bool_], dpi: int) -> int | None:
    gaps = [(stop - start, (start + stop) // 2) for start, stop in _gaps(np.any(part, axis=1))]
    if not gaps:
        return None
    widest, middle = max(gaps)
    usual = float(np.median([width for width, _ in gaps]))
    return middle if widest >= max(BLOCK_GAP * dpi, WIDER_GAP * usual) else None

"""Finds the lines that are drawn on a page: as strokes, thin filled boxes, or the edges of boxes."""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any, Literal

Box = tuple[float, float, float, float]
Matrix = tuple[float, float, float, float, float, float]

IDENTITY: Matrix = (1, 0, 0, 1, 0, 0)
THIN = 3.0
THINNEST = 0.05
SHORTEST = 4.0
NEAR = 2.5
WHITE = 250
MAX_DEPTH = 5
# More are a drawing or a map, not tables.
MAX_POINTS = 20_000
MAX_LINES = 2_000


@dataclass(frozen=True, slots=True)
class Ruling:
    """A line at `at`, from `start` to `end` in the other direction."""

    at: float
    start: float
    end: float


@dataclass(slots=True)
class Rulings:
    across: list[Ruling] = field(default_factory=list)
    down: list[Ruling] = field(default_factory=list)
    painted: list[Box] = field(default_factory=list)
    """Pictures, and boxes filled with a colour other than white."""
    pictures: list[Box] = field(default_factory=list)

    def add(self, box: Box) -> None:
        x0, top, x1, bottom = box
        if bottom - top <= THIN and x1 - x0 >= SHORTEST:
            self.across.append(Ruling((top + bottom) / 2, x0, x1))
        elif x1 - x0 <= THIN and bottom - top >= SHORTEST:
            self.down.append(Ruling((x0 + x1) / 2, top, bottom))


def read_rulings(page: Any, turn: Callable[[Box], Box]) -> Rulings:
    """Return what is drawn, in the frame in which the text is read."""
    import pypdfium2.raw as pdfium

    found = Rulings()
    points = 0
    for kind, path, matrix in _objects(page):
        if kind == pdfium.FPDF_PAGEOBJ_IMAGE:
            corners = [_moved(matrix, x, y) for x, y in ((0, 0), (1, 0), (0, 1), (1, 1))]
            box = turn(_around(corners))
            found.painted.append(box)
            found.pictures.append(box)
            continue
        filled, stroked = _drawn(path)
        if not filled and not stroked:
            continue
        dark = bool(filled) and colour_of(path) == "other"
        outlines = [[turn((x, y, x, y))[:2] for x, y in outline] for outline in _outlines(path, matrix)]
        points += sum(map(len, outlines))
        if points > MAX_POINTS:
            return Rulings(painted=found.painted, pictures=found.pictures)
        framed = filled == pdfium.FPDF_FILLMODE_ALTERNATE and _take_frames(found, outlines, dark=dark)
        if not framed:
            for outline in outlines:
                _take(found, outline, dark=dark, stroked=stroked)
    found.across = _merged(found.across)
    found.down = _merged(found.down)
    if len(found.across) + len(found.down) > MAX_LINES:
        return Rulings(painted=found.painted, pictures=found.pictures)
    return found


def _take(found: Rulings, outline: list[tuple[float, float]], *, dark: bool, stroked: bool) -> None:
    x0, top, x1, bottom = _around(outline)
    if x1 - x0 <= THIN or bottom - top <= THIN:
        if dark or stroked:
            found.add((x0, top, x1, bottom))
        return
    if dark:
        found.painted.append((x0, top, x1, bottom))
    if stroked:
        for (ax, ay), (bx, by) in pairwise(outline):
            found.add((min(ax, bx), min(ay, by), max(ax, bx), max(ay, by)))


def _take_frames(found: Rulings, outlines: Sequence[list[tuple[float, float]]], *, dark: bool) -> bool:
    """Take the lines around boxes that are filled between two outlines, as browsers draw the borders of cells."""
    boxes = list(map(_around, outlines))
    if not boxes or len(boxes) % 2:
        return False
    frames = [
        (one, two) if _is_frame(one, two) else (two, one) for one, two in zip(boxes[::2], boxes[1::2], strict=True)
    ]
    if not all(_is_frame(*frame) for frame in frames):
        return False
    for (x0, top, x1, bottom), (left, above, right, below) in frames if dark else []:
        across = [(left, above, right, top), (left, bottom, right, below)]
        for side in [*across, (left, above, x0, below), (x1, above, right, below)]:
            if min(side[2] - side[0], side[3] - side[1]) > THINNEST:
                found.add(side)
    return True


def _is_frame(inner: Box, outer: Box) -> bool:
    return all(0 <= step * (a - b) <= THIN for a, b, step in zip(inner, outer, (1, 1, -1, -1), strict=True))


def _around(points: Sequence[tuple[float, float]]) -> Box:
    xs, ys = [x for x, _ in points], [y for _, y in points]
    return min(xs), min(ys), max(xs), max(ys)


def _merged(rulings: list[Ruling]) -> list[Ruling]:
    """Join pieces of one line, as of dashes and of cells that each draw their own border."""
    rows: list[list[Ruling]] = []
    for each in sorted(rulings, key=lambda each: each.at):
        if rows and each.at - rows[-1][0].at <= NEAR:
            rows[-1].append(each)
        else:
            rows.append([each])
    return [line for row in rows for line in _in_row(row)]


def _in_row(row: list[Ruling]) -> Iterator[Ruling]:
    at = sum(each.at for each in row) / len(row)
    ordered = sorted(row, key=lambda each: each.start)
    start, end = ordered[0].start, ordered[0].end
    for each in ordered[1:]:
        if each.start - end > NEAR:
            yield Ruling(at, start, end)
            start, end = each.start, each.end
        end = max(end, each.end)
    yield Ruling(at, start, end)


def _objects(page: Any) -> Iterator[tuple[int, Any, Matrix]]:
    import pypdfium2.raw as pdfium

    def inside(count: int, at: Callable[[int], Any], matrix: Matrix, depth: int) -> Iterator[tuple[int, Any, Matrix]]:
        for index in range(count):
            each = at(index)
            kind = pdfium.FPDFPageObj_GetType(each)
            if kind in (pdfium.FPDF_PAGEOBJ_PATH, pdfium.FPDF_PAGEOBJ_IMAGE):
                yield kind, each, _times(_matrix(each), matrix)
            elif kind == pdfium.FPDF_PAGEOBJ_FORM and depth < MAX_DEPTH:
                yield from inside(
                    pdfium.FPDFFormObj_CountObjects(each),
                    lambda number, form=each: pdfium.FPDFFormObj_GetObject(form, number),  # type: ignore[misc]
                    _times(_matrix(each), matrix),
                    depth + 1,
                )

    count = pdfium.FPDFPage_CountObjects(page)
    yield from inside(count, lambda number: pdfium.FPDFPage_GetObject(page, number), IDENTITY, 0)


def _outlines(path: Any, matrix: Matrix) -> Iterator[list[tuple[float, float]]]:
    import pypdfium2.raw as pdfium

    x, y = ctypes.c_float(), ctypes.c_float()
    outline: list[tuple[float, float]] = []
    for index in range(min(pdfium.FPDFPath_CountSegments(path), MAX_POINTS)):
        segment = pdfium.FPDFPath_GetPathSegment(path, index)
        pdfium.FPDFPathSegment_GetPoint(segment, x, y)
        if pdfium.FPDFPathSegment_GetType(segment) == pdfium.FPDF_SEGMENT_MOVETO and outline:
            yield outline
            outline = []
        outline.append(_moved(matrix, x.value, y.value))
        if pdfium.FPDFPathSegment_GetClose(segment):
            outline.append(outline[0])
    if outline:
        yield outline


def _moved(matrix: Matrix, x: float, y: float) -> tuple[float, float]:
    a, b, c, d, e, f = matrix
    return a * x + c * y + e, b * x + d * y + f


def _drawn(path: Any) -> tuple[int, bool]:
    """Return how it is filled, 0 if it is not, and whether it is stroked."""
    import pypdfium2.raw as pdfium

    fill, stroke = ctypes.c_int(), ctypes.c_int()
    pdfium.FPDFPath_GetDrawMode(path, fill, stroke)
    return fill.value, bool(stroke.value)


Colour = Literal["none", "white", "other"]


def colour_of(each: Any) -> Colour:
    import pypdfium2.raw as pdfium

    parts = [ctypes.c_uint() for _ in range(4)]
    return colour_named(*(part.value for part in parts)) if pdfium.FPDFPageObj_GetFillColor(each, *parts) else "other"


def colour_named(red: int, green: int, blue: int, alpha: int) -> Colour:
    """So PDFium calls patterns, too."""
    if not alpha:
        return "none"
    return "white" if red >= WHITE and green >= WHITE and blue >= WHITE else "other"


def _matrix(each: Any) -> Matrix:
    import pypdfium2.raw as pdfium

    found = pdfium.FS_MATRIX()
    pdfium.FPDFPageObj_GetMatrix(each, found)
    return (found.a, found.b, found.c, found.d, found.e, found.f)


def _times(first: Matrix, then: Matrix) -> Matrix:
    a, b, c, d, e, f = first
    p, q, r, s, t, u = then
    return (a * p + b * r, a * q + b * s, c * p + d * r, c * q + d * s, e * p + f * r + t, e * q + f * s + u)

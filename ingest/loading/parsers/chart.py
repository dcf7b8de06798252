"""Reads a chart's titles and the values that it keeps, as a table of categories and series."""

from __future__ import annotations

import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from math import isfinite

from ingest.loading.parsers.drawing_text import paragraphs
from ingest.loading.parsers.flow import Block, Table
from ingest.loading.parsers.number_format import NumberFormat
from ingest.loading.parsers.xml_tree import EMPTY, Node, read_tree

CATEGORIES = ("cat", "xVal")
VALUES = ("val", "yVal", "bubbleSize")
CACHES = ("strCache", "strLit", "numCache", "numLit", "multiLvlStrCache")
CATEGORY_AXES = ("catAx", "dateAx", "serAx")

Points = dict[int, str]


@dataclass(slots=True)
class Series:
    name: str
    categories: Points
    values: Points


def read_chart(archive: zipfile.ZipFile, part: str) -> list[Block]:
    root = read_tree(archive, part)
    title = _title(root.child("chart"))
    blocks: list[Block] = [title] if title else []
    area = root.child("chart", "plotArea")
    axes = [axis for axis in area if axis.name.endswith("Ax")]
    named = [(axis.name in CATEGORY_AXES, _title(axis)) for axis in axes]
    if all(axis.name == "valAx" for axis in axes):
        # A scatter chart's first axis lies below it.
        named = [(at == 0, text) for at, (_, text) in enumerate(named)]
    below = next((text for is_category, text in named if is_category), "")
    blocks += [text for is_category, text in named if text and not is_category]
    series = [each for chart in area for each in _series(chart)] or _extended(root)
    tables = [_table(below, group) for group in _grouped(series)]
    return [*blocks, *tables]


def _title(node: Node) -> str:
    title = node.child("title")
    rich = " ".join(line for line in paragraphs(title) if line.strip())
    return rich or " ".join(_points(title).values()) or next((v.text for v in title.all("v")), "")


def _series(chart: Node) -> list[Series]:
    found: list[Series] = []
    for each in chart.children("ser"):
        name = " ".join(_points(each.child("tx")).values()) or each.child("tx", "v").text
        categories: Points = {}
        for kind in CATEGORIES:
            categories = categories or _points(each.child(kind))
        found += [Series(name, categories, values) for kind in VALUES if (values := _points(each.child(kind)))]
    return found


def _points(node: Node) -> Points:
    """Return the cached points below a node; categories of several levels are joined, the widest first."""
    cache = next(node.all(*CACHES), EMPTY)
    shown = _display(cache.child("formatCode").text or "General") if cache.name.startswith("num") else str
    levels = [
        {int(point.get("idx", "0")): shown(point.child("v").text) for point in level.children("pt")}
        for level in reversed(cache.children("lvl") or [cache])
    ]
    last, points = [""] * len(levels), Points()
    for at in sorted(levels[-1]):
        # An outer level names only the first of those that it holds.
        last = [level.get(at, before) for level, before in zip(levels, last, strict=True)]
        points[at] = " ".join(filter(None, last))
    return points


def _display(code: str) -> Callable[[str], str]:
    number_format = NumberFormat(code)

    def display(text: str) -> str:
        try:
            value = float(text)
        except ValueError:
            return text
        return number_format.number(value) if isfinite(value) else text

    return display


def _extended(root: Node) -> list[Series]:
    """Read the charts that came with Office 2016, such as waterfalls and treemaps."""
    names = {series.child("dataId").get("val"): series.child("tx", "txData", "v").text for series in root.all("series")}
    found: list[Series] = []
    for data in root.child("chartData").children("data"):
        texts = [_dimension(each) for each in data.children("strDim")]
        numbers = [_dimension(each) for each in data.children("numDim")]
        categories = texts[0] if texts else {}
        found += [Series(names.get(data.get("id"), ""), categories, values) for values in numbers]
    return found


def _dimension(node: Node) -> Points:
    levels = [{int(point.get("idx", "0")): point.text for point in level.children("pt")}
              for level in reversed(node.children("lvl"))]  # fmt: skip
    places = sorted({at for level in levels for at in level})
    return {at: " ".join(level[at] for level in levels if at in level) for at in places}


def _grouped(series: list[Series]) -> list[list[Series]]:
    """Put series of the same categories into one table."""
    groups: list[list[Series]] = []
    for each in series:
        if groups and (each.categories == groups[-1][0].categories or not each.categories):
            groups[-1].append(each)
        else:
            groups.append([each])
    return groups


def _table(heading: str, series: list[Series]) -> Table:
    table = Table({(0, 0): [heading]})
    for column, each in enumerate(series, 1):
        table.cells[0, column] = [each.name]
    rows = sorted({at for each in series for at in (*each.values, *series[0].categories)})
    for row, at in enumerate(rows, 1):
        table.cells[row, 0] = [series[0].categories.get(at, "")]
        for column, each in enumerate(series, 1):
            table.cells[row, column] = [each.values.get(at, "")]
    return table

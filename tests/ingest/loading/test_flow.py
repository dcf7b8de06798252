"""Blocks as text: headings, and tables with merged cells."""

from __future__ import annotations

import pytest

from app.errors import DocumentError
from ingest.loading.parsers.flow import Flow


def cell(flow: Flow, text: str, *place: int) -> None:
    flow.open_cell()
    flow.paragraph(text)
    flow.close_cell(*place)


def test_merged_cells_are_repeated_down_and_in_headers_across():
    flow = Flow()
    flow.open_table()
    for text, *place in [
        ("구분", 0, 0, 2, 1), ("매출", 0, 1, 1, 2), ("2030", 1, 1), ("2031", 1, 2),
        ("본점", 2, 0, 2, 1), ("7", 2, 1, 1, 2), ("", 3, 1), ("9", 3, 2),
    ]:  # fmt: skip
        cell(flow, text, *place)
    flow.header_rows(2)
    flow.close_table()
    assert flow.text().splitlines() == [
        "| 구분 | 매출 | 매출 |", "| --- | --- | --- |", "| 구분 | 2030 | 2031 |", "| 본점 | 7 |  |", "| 본점 |  | 9 |",
    ]  # fmt: skip


def test_a_heading_is_marked_outside_of_cells_alone():
    flow = Flow()
    flow.heading(2, "Fees\nand fines")
    flow.heading(9, "Deep")
    flow.open_table()
    flow.open_cell()
    flow.heading(1, "Inner")
    flow.close_cell(0, 0)
    cell(flow, "a|b", 0, 1)
    flow.close_table()
    assert flow.text() == "## Fees and fines\n\n###### Deep\n\n| Inner | a\\|b |\n| --- | --- |"


def test_a_part_is_placed_where_it_is_added():
    flow = Flow()
    flow.open_part()
    flow.paragraph("note")
    note = flow.close_part()
    flow.paragraph("text")
    flow.add(note)
    assert flow.text() == "text\n\nnote"


def test_a_few_cells_make_no_table_of_any_size():
    flow = Flow()
    flow.open_table()
    for number in range(5000):
        cell(flow, "x", number, 0)
        cell(flow, "x", 0, number)
    cell(flow, "x", 0, 0, 1 << 31, 1 << 31)
    flow.close_table()
    with pytest.raises(DocumentError):
        flow.text()

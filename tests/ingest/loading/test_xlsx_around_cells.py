"""Workbooks: what is hidden, merged or printed around the cells."""

from __future__ import annotations

import pytest

from tests.ingest.loading.parsing import codes, parsed
from tests.ingest.loading.test_xlsx import only_page
from tests.ingest.made.workbook import Sheet, merged, workbook


@pytest.mark.parametrize("axis", ["row", "column"])
def test_merged_cells_whose_first_is_hidden_show_in_the_others(tmp_path, axis):
    rows = [["지역", None, "군", "값"], ["정선", None, "여량", 9], [None, None, "북평", 8]]
    after = merged("A1:B1", "A2:B3")
    if axis == "row":
        text = only_page(tmp_path, workbook(Sheet(rows, after=after, hidden_rows=[2])))
        assert text.endswith("| 정선 |  | 북평 | 8 |")
    else:
        columns = '<cols><col min="1" max="1" hidden="1"/></cols>'
        text = only_page(tmp_path, workbook(Sheet(rows, before=columns, after=after)))
        assert text.endswith("| 지역 | 군 | 값 |\n| --- | --- | --- |\n| 정선 | 여량 | 9 |\n| 정선 | 북평 | 8 |")


def test_rows_and_columns_without_height_or_width_are_hidden(tmp_path):
    sheet = Sheet([["a", "no", "c"]], before='<cols><col min="2" max="2" width="0"/></cols>')
    found = parsed(tmp_path, workbook(sheet))
    assert "no" not in found.text.split()
    assert codes(found) == ["hidden_part_skipped"]


def test_heads_and_feet_are_read_once(tmp_path):
    head = '&amp;L&amp;"Arial,Bold"&amp;14대외비 R&amp;&amp;D&amp;CPage &amp;P of &amp;N&amp;R&amp;D'
    after = f"<headerFooter><oddHeader>{head}</oddHeader><oddFooter>Call 5519</oddFooter>"
    after += "<evenFooter>even</evenFooter></headerFooter>"
    pages = parsed(tmp_path, workbook(Sheet([["a"]], "가", after=after), Sheet([["b"]], "나", after=after))).pages
    assert [page.text for page in pages] == ["## 가\n\n[머리글: 대외비 R&D]\n\na\n\n[Footer: Call 5519]", "## 나\n\nb"]
    assert parsed(tmp_path, workbook(Sheet([], after=after))).pages == []


def test_the_captions_of_controls_are_read(tmp_path):
    shapes = "".join(
        f'<v:shape><v:textbox><div><font>{text}</font></div></v:textbox><x:ClientData ObjectType="{kind}"/></v:shape>'
        for kind, text in (("Button", "누르기"), ("Note", "old copy"), ("Checkbox", "I agree"))
    )
    sheet = Sheet([["a"]], beside={"rId1": ("vmlDrawing", "../drawings/vml.vml")})
    made = workbook(sheet, **{"xl/drawings/vml.vml": f'<xml xmlns:v="v" xmlns:x="x">{shapes}</xml>'})
    assert only_page(tmp_path, made).split("\n\n")[1:] == ["a", "누르기", "I agree"]
    broken = workbook(sheet, **{"xl/drawings/vml.vml": "<xml><br></xml>"})
    assert only_page(tmp_path, broken).endswith("a")

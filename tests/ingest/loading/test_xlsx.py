"""Workbooks as people have them: what is displayed is read, what is left out is told."""

from __future__ import annotations

import pytest

from app.errors import DocumentError
from ingest.loading.parsers import grid
from tests.ingest.loading.parsing import codes, parsed
from tests.ingest.made.content import zipped
from tests.ingest.made.office import relations
from tests.ingest.made.workbook import (
    CHART_FRAME,
    MAIN,
    Sheet,
    chart,
    comments,
    drawing,
    merged,
    picture,
    text_box,
    workbook,
)

LONG = "A" * 200_000


def only_page(folder, content, **options) -> str:
    (page,) = parsed(folder, content, **options).pages
    return page.text


def test_values_are_what_the_cells_show(tmp_path):
    formats = ("000000", "000-0000-0000", '#,##0"원"', "0.00%", 'yyyy"년" m"월" d"일"', '"제"@"호"')
    row = [
        *('<c s="1"><v>73</v></c>', '<c s="2"><v>1055512345</v></c>', '<c s="3"><v>1200</v></c>'),
        *('<c s="4"><v>4.7500000000000001E-2</v></c>', '<c s="5"><v>45450</v></c>'),
        *('<c s="6" t="s"><v>0</v></c>', '<c t="b"><v>1</v></c>', '<c t="e"><v>#N/A</v></c>'),
        *('<c t="d"><v>2024-06-07T00:00:00</v></c>', '<c s="9"><v>NaN</v></c>'),
    ]
    head = ["사번", "전화", "금액", "비율", "입사일", "호", "재직", "오류", "날", "수"]
    strings = f'<sst xmlns="{MAIN}"><si><t>3</t></si></sst>'
    beside = relations(
        rId1=("worksheet", "worksheets/sheet1.xml"), a=("sharedStrings", "s.xml"), b=("styles", "styles.xml")
    )
    more = {"xl/s.xml": strings, "xl/_rels/workbook.xml.rels": beside}
    text = only_page(tmp_path, workbook(Sheet([head, row], "명부"), formats=formats, **more))
    assert text.splitlines()[-1] == (
        "| 000073 | 010-5551-2345 | 1,200원 | 4.75% | 2024년 6월 7일 | 제3호 | TRUE | #N/A | 2024-06-07 | NaN |"
    )


def test_dates_of_the_other_epoch(tmp_path):
    sheet = Sheet([["Name", "Day"], ["Kim", '<c s="1"><v>43988</v></c>']])
    book = workbook(sheet, formats=["yyyy-mm-dd"], properties='<workbookPr date1904="1"/>')
    assert "| Kim | 2024-06-07 |" in only_page(tmp_path, book)


def test_exponents_stay_apart_and_pronunciation_is_left_out(tmp_path):
    raised = '<r><rPr><vertAlign val="superscript"/></rPr><t>{}</t></r>'
    area = f'<c t="inlineStr"><is><r><t>m</t></r>{raised.format(2)}<r><t> 면적</t></r></is></c>'
    loose = f'<c t="inlineStr"><is><r><t>10</t></r>{raised.format("-")}{raised.format(6)}</is></c>'
    ordinal = f'<c t="inlineStr"><is><r><t>1</t></r>{raised.format("st")}</is></c>'
    spoken = '<c t="inlineStr"><is><t>東京</t><rPh sb="0" eb="2"><t>トウキョウ</t></rPh></is></c>'
    text = only_page(tmp_path, workbook(Sheet([[area, loose, ordinal, spoken]])))
    assert "| m^2 면적 | 10^-6 | 1st | 東京 |" in text


@pytest.mark.parametrize(
    ("head", "rows", "mark"),
    [
        (["군", "면", "다리"], [["정선", "북평", 4], [None, "여량", 9], [None, "임계", None]], "정선"),
        (["County", "Town", "Bridges"], [["Kent", "Deal", 4], [None, "Hythe", 9], [None, "Lydd", None]], "Kent"),
    ],
)
def test_merged_cells_are_repeated_down_and_blanks_stay_blank(tmp_path, head, rows, mark):
    text = only_page(tmp_path, workbook(Sheet([head, *rows], after=merged("A2:A4"))))
    lines = text.splitlines()[4:]
    assert lines == [f"| {mark} | {row[1]} | {row[2] or ''} |" for row in rows]


def test_merged_cells_are_repeated_across_in_the_header_alone(tmp_path):
    rows = [
        ["지역", "2023년", None, "2024년", None],
        [None, "상반기", "하반기", "상반기", "하반기"],
        ["강릉", 1, 2, 3, 4],
        ["평균", "미집계", None, None, None],
    ]
    text = only_page(tmp_path, workbook(Sheet(rows, after=merged("A1:A2", "B1:C1", "D1:E1", "B4:E4"))))
    assert text.splitlines()[2:] == [
        "| 지역 | 2023년 | 2023년 | 2024년 | 2024년 |",
        "| --- | --- | --- | --- | --- |",
        "| 지역 | 상반기 | 하반기 | 상반기 | 하반기 |",
        "| 강릉 | 1 | 2 | 3 | 4 |",
        "| 평균 | 미집계 |  |  |  |",
    ]


def test_a_title_above_a_table_is_not_its_header_and_tables_stay_apart(tmp_path):
    left = [["Sales of 2024", None], ["Shop", "Sum"], ["North | West", 3], ["South", 4]]
    rows = [
        *(row + [None] * 3 for row in left),
        [None] * 5,
        ["Staff", "Since", None, "Room", "Key"],
        ["Kim", "May", None, "Hall", "Red"],
        ["Lee", "June", None, "Attic", "Blue"],
    ]
    text = only_page(tmp_path, workbook(Sheet(rows, after=merged("A1:B1"))))
    assert text.split("\n\n")[1:] == [
        "Sales of 2024",
        "| Shop | Sum |\n| --- | --- |\n| North \\| West | 3 |\n| South | 4 |",
        "| Staff | Since |\n| --- | --- |\n| Kim | May |\n| Lee | June |",
        "| Room | Key |\n| --- | --- |\n| Hall | Red |\n| Attic | Blue |",
    ]


def test_an_empty_row_or_column_inside_a_table_parts_nothing(tmp_path):
    rows = [["Item", "2023", None, "2024"], ["Oil", 1, None, 2], [None] * 4, ["Gas", 3, None, 4]]
    text = only_page(tmp_path, workbook(Sheet(rows)))
    assert text.endswith("| Item | 2023 | 2024 |\n| --- | --- | --- |\n| Oil | 1 | 2 |\n| Gas | 3 | 4 |")


@pytest.mark.parametrize(
    ("said", "marked"),
    [("겨울에는 팔지 않는다", "[메모: 겨울에는 팔지 않는다]"), ("Not in winter", "[Comment: Not in winter]")],
)
def test_comments_stand_in_their_cells(tmp_path, said, marked):
    sheet = Sheet([["Item", "Price"], ["Hoe", 12]], beside={"rId1": ("comments", "../comments1.xml")})
    book = workbook(sheet, **{"xl/comments1.xml": comments(B2=said, J9=said)})
    assert only_page(tmp_path, book).endswith(f"| Hoe | 12 {marked} |\n\n{marked}")


def test_a_thread_is_read_once_with_its_replies(tmp_path):
    thread = (
        f'<ThreadedComments xmlns="{MAIN}"><threadedComment ref="B2" id="1"><text>왜 12?</text></threadedComment>'
        '<threadedComment ref="B2" id="2" parentId="1"><text>새 값</text></threadedComment></ThreadedComments>'
    )
    beside = {"rId1": ("comments", "../comments1.xml"), "rId2": ("threadedComment", "../threads/1.xml")}
    old = comments(B2="[Threaded comment] Update Excel. Comment: 왜 12?")
    book = workbook(
        Sheet([["Item", "Price"], ["Hoe", 12]], beside=beside), **{"xl/comments1.xml": old, "xl/threads/1.xml": thread}
    )
    assert only_page(tmp_path, book).endswith("| Hoe | 12 [메모: 왜 12?] [메모: 새 값] |")


def test_text_boxes_charts_and_pictures(tmp_path):
    shapes = drawing(
        (9, text_box("둘째 상자")), (2, f"<xdr:grpSp>{text_box('첫째', '상자')}</xdr:grpSp>"), (5, CHART_FRAME),
        (6, picture()), (7, picture("Map of the shop")), (8, text_box("SECRET", properties='hidden="1"')),
    )  # fmt: skip
    book = workbook(
        Sheet([["Item", "Price"], ["Hoe", 12]], "Shop", beside={"rId1": ("drawing", "../drawings/drawing1.xml")}),
        **{
            "xl/drawings/drawing1.xml": shapes,
            "xl/drawings/_rels/drawing1.xml.rels": relations(rId1=("chart", "../charts/chart1.xml")),
            "xl/charts/chart1.xml": chart("점유율", ["북", "남"], "0.0%", 올해=[0.62, 0.38], 작년=[0.5, 0.5]),
        },
    )
    found = parsed(tmp_path, book)
    assert found.pages[0].text.split("\n\n")[2:] == [
        "첫째",
        "상자",
        "점유율",
        "|  | 올해 | 작년 |\n| --- | --- | --- |\n| 북 | 62.0% | 50.0% |\n| 남 | 38.0% | 50.0% |",
        "[Picture: Map of the shop]",
        "둘째 상자",
    ]
    assert codes(found) == ["picture_without_text", "hidden_part_skipped"]
    assert "[Hidden: SECRET]" in parsed(tmp_path, book, mark=True).pages[0].text


def test_hidden_sheets_rows_and_columns_are_left_out_with_a_notice_or_marked(tmp_path):
    rows = [["Name", "PAY", "Room"], ["Kim", "PAY-1", "A"], ["GONE", "PAY-2", "B"], ["Lee", "PAY-3", "C"]]
    shown = Sheet(rows, "명단", '<cols><col min="2" max="2" hidden="1"/></cols>', hidden_rows=[3])
    book = workbook(shown, Sheet([["SHADOW"]], "뒤", state="hidden"), Sheet([["DEEP"]], "속", state="veryHidden"))
    found = parsed(tmp_path, book)
    assert found.text.endswith("| Name | Room |\n| --- | --- |\n| Kim | A |\n| Lee | C |")
    assert [page.number for page in found.pages] == [1]
    assert [(notice.code, notice.part) for notice in found.warnings] == [
        ("hidden_part_skipped", part) for part in ("명단", "뒤", "속")
    ]
    assert "1 hidden row and 1 hidden column" in found.warnings[0].detail
    rows = [["Name", "Age"], ["Kim", "<c><v>3</v></c>"], ["GONE", "x"], ["Lee", "old"]]
    assert parsed(tmp_path, workbook(Sheet(rows, hidden_rows=[3]))).text.endswith("| Kim | 3 |\n| Lee | old |")
    marked = parsed(tmp_path, book, mark=True)
    assert "| [Hidden: GONE] | [Hidden: PAY-2] | [Hidden: B] |" in marked.text
    assert "## [숨김: 뒤]\n\nSHADOW" in marked.text
    assert marked.warnings == []


def test_values_that_a_format_hides_are_hidden(tmp_path):
    cells = [
        "Kim",
        '<c s="1"><v>4711</v></c>',
        '<c s="1" t="inlineStr"><is><t>암호</t></is></c>',
        '<c s="2"><v>0</v></c>',
    ]
    book = workbook(Sheet([["Name", "Code", "말", "Zero"], cells]), formats=[";;;", "0;-0;"])
    found = parsed(tmp_path, book)
    assert "| Kim |  |  |  |" in found.text
    assert codes(found) == ["hidden_part_skipped"]
    assert "2 hidden values" in found.warnings[0].detail
    assert "| Kim | [Hidden: 4711] | [숨김: 암호] |  |" in parsed(tmp_path, book, mark=True).text


def test_formulas_without_values_are_told(tmp_path):
    row = ["Sum", "<c><f>SUM(B2:B9)</f></c>", "<c><f>1+1</f><v>2</v></c>", '<c t="str"><f>""</f><v></v></c>']
    found = parsed(tmp_path, workbook(Sheet([["a", "b", "c", "d"], row], "합계")))
    assert found.text.endswith("| Sum |  | 2 |  |")
    (notice,) = found.warnings
    assert (notice.code, notice.part) == ("formula_without_value", "합계")
    assert "1 formula (B2)" in notice.detail


def test_macros_and_embedded_objects_are_told(tmp_path):
    sheet = Sheet([["a"]], beside={"rId1": ("oleObject", "../embeddings/o.bin")})
    found = parsed(tmp_path, workbook(sheet, **{"xl/vbaProject.bin": b"x", "xl/embeddings/o.bin": b"x"}))
    assert codes(found) == ["macro_skipped", "embedded_object_skipped"]


def test_a_damaged_drawing_costs_the_drawing_alone(tmp_path):
    beside = {"rId1": ("drawing", "../drawings/d.xml"), "rId2": ("comments", "../c.xml")}
    book = workbook(Sheet([["kept"]], beside=beside), **{"xl/drawings/d.xml": "<a", "xl/c.xml": "<!DOCTYPE a []><a/>"})
    found = parsed(tmp_path, book)
    assert found.text.endswith("kept")
    assert codes(found) == ["embedded_object_skipped"] * 2


@pytest.mark.parametrize("rows", [[], [[""], [" "]], [['<c s="0"/>']]])
def test_sheets_of_blanks_are_no_pages(tmp_path, rows):
    assert parsed(tmp_path, workbook(Sheet(rows, "첫째"), Sheet(rows, "둘째"))).pages == []


def test_prefixed_names_and_cells_without_places(tmp_path):
    main = (
        f'<x:worksheet xmlns:x="{MAIN}"><x:sheetData><x:row><x:c><x:v>1</x:v></x:c><x:c><x:v>2</x:v></x:c></x:row>'
        '</x:sheetData ><x:mergeCells><x:mergeCell ref="A1"/></x:mergeCells></x:worksheet>'
    )
    book = workbook(Sheet([]), **{"xl/worksheets/sheet1.xml": main})
    assert only_page(tmp_path, book).endswith("| 1 | 2 |\n| --- | --- |")


@pytest.mark.parametrize(
    "sheet",
    [
        Sheet([["x"]], after=merged("A1:XFD1048576", "A1:XFD1048576")),
        Sheet([["x"]], '<dimension ref="A1:XFD1048576"/><cols><col min="2" max="99999999" hidden="1"/></cols>'),
    ],
)
def test_huge_ranges_cost_nothing(tmp_path, sheet):
    assert only_page(tmp_path, workbook(sheet)).endswith("x")


@pytest.mark.parametrize(
    ("part", "content"),
    [
        ("xl/worksheets/sheet1.xml", f'<worksheet xmlns="{MAIN}"><sheetData><row r="1"><c r="ZZZ1"/></row>'),
        ("xl/worksheets/sheet1.xml", f'<worksheet xmlns="{MAIN}"><sheetData><row r="1"><c t="s"><v>7</v></c></row>'),
        ("xl/worksheets/sheet1.xml", f'<worksheet><sheetData><row><c r="{LONG}1"/></row></sheetData></worksheet>'),
        ("xl/workbook.xml", "<a>" * 100_000),
        ("xl/styles.xml", "<!DOCTYPE a [<!ENTITY b 'c'>]><a/>"),
    ],
)
def test_what_is_damaged_is_refused(tmp_path, part, content):
    with pytest.raises(DocumentError) as caught:
        parsed(tmp_path, workbook(Sheet([["x"]]), **{part: content}))
    assert caught.value.document_code == "corrupt"


def test_one_text_in_a_million_cells_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(grid, "MAX_CHARACTERS", 1 << 20)
    cell = '<c t="s"><v>0</v></c>'
    rows = f"<row>{cell * 10}</row>" * 1000
    book = workbook(
        Sheet([]),
        **{
            "xl/worksheets/sheet1.xml": f'<worksheet xmlns="{MAIN}"><sheetData>{rows}</sheetData></worksheet>',
            "xl/sharedStrings.xml": f'<sst xmlns="{MAIN}"><si><t>{"long " * 2000}</t></si></sst>',
            "xl/_rels/workbook.xml.rels": relations(
                rId1=("worksheet", "worksheets/sheet1.xml"), s=("sharedStrings", "sharedStrings.xml")
            ),
        },
    )
    with pytest.raises(DocumentError) as caught:
        parsed(tmp_path, book)
    assert caught.value.document_code == "too_large"


def test_a_package_without_a_workbook_is_corrupt(tmp_path):
    with pytest.raises(DocumentError):
        parsed(tmp_path, zipped({"xl/workbook.xml": "<workbook><sheets><sheet/></sheets></workbook>"}))

"""OpenDocument spreadsheets and presentations as people have them."""

from __future__ import annotations

import pytest

from app.errors import DocumentError
from ingest.loading import formats
from tests.ingest.loading.parsing import codes, parsed
from tests.ingest.made.content import DECLARATION
from tests.ingest.made.open_document import NAMES, box, cell, document, frame, row, sheet, slide, text

HIDING = (
    '<style:style style:name="ta2" style:family="table"><style:table-properties table:display="false"/></style:style>'
    '<style:style style:name="dp2" style:family="drawing-page"><style:drawing-page-properties '
    'presentation:visibility="hidden"/></style:style>'
    '<style:style style:name="T1" style:family="text"><style:text-properties style:text-position="super 58%"/>'
    "</style:style>"
)
NUMBER = 'presentation:class="page-number"'
CHART = (
    f"{DECLARATION}<office:document-content {NAMES}><office:body><office:chart><chart:chart><chart:title>"
    f"{text('점유율')}</chart:title><chart:plot-area/>"
    f"{sheet('local-table', row(cell(), cell('올해')), row(cell('북'), cell('0.62')), row(cell('남'), cell('0.38')))}"
    "</chart:chart></office:chart></office:body></office:document-content>"
)


def only_page(folder, content: bytes) -> str:
    (page,) = parsed(folder, content).pages
    return page.text


def test_cells_say_what_they_show(tmp_path):
    raised = (
        "<text:p>10<text:span text:style-name='T1'>6</text:span><text:s text:c='2'/>개<text:line-break/>끝</text:p>"
    )
    rows = [
        row(cell("사번"), cell("비율"), cell("수"), cell("값")),
        row(
            cell("000073", 'office:value-type="float" office:value="73"'),
            cell("4.75 %", 'office:value-type="percentage" office:value="0.0475"'),
            cell(inside=raised),
            cell(attributes='office:value-type="float" office:value="12"'),
        ),
    ]
    found = only_page(tmp_path, document("spreadsheet", sheet("명부", *rows), HIDING))
    assert (
        found
        == "## 명부\n\n| 사번 | 비율 | 수 | 값 |\n| --- | --- | --- | --- |\n| 000073 | 4.75 % | 10^6 개 끝 | 12 |"
    )


def test_merged_and_repeated_cells(tmp_path):
    covered = "<table:covered-table-cell/>"
    rows = [
        row(cell("군"), cell("면", 'table:number-columns-spanned="2"'), covered),
        row(cell("정선", 'table:number-rows-spanned="2"'), cell("여량", 'table:number-columns-repeated="2"')),
        row(covered, cell("북평"), cell("9"), cell(attributes='table:number-columns-repeated="16380"')),
        row(
            cell("영월"),
            cell("a", 'table:number-columns-spanned="2"'),
            covered,
            attributes='table:number-rows-repeated="2"',
        ),
        row(
            cell(attributes='table:number-columns-repeated="16384"'), attributes='table:number-rows-repeated="1048000"'
        ),
    ]
    assert only_page(tmp_path, document("spreadsheet", sheet("표", *rows))).splitlines()[2:] == [
        *("| 군 | 면 | 면 |", "| --- | --- | --- |", "| 정선 | 여량 | 여량 |", "| 정선 | 북평 | 9 |"),
        *("| 영월 | a |  |", "| 영월 | a |  |"),
    ]


def test_what_is_hidden_or_deleted_is_left_out_or_marked(tmp_path):
    column = '<table:table-column/><table:table-column table:visibility="collapse"/><table:table-column/>'
    rows = [
        column,
        row(cell("Name"), cell("PAY"), cell("Room")),
        row(cell("GONE"), cell("PAY-1"), cell("A"), attributes='table:visibility="filter"'),
        row(cell("Kim"), cell("PAY-2"), cell("B")),
    ]
    deleted = f"<table:tracked-changes><table:deletion>{cell('ERASED')}</table:deletion></table:tracked-changes>"
    sheets = deleted + sheet("명단", *rows) + sheet("뒤", row(cell("SHADOW")), attributes='table:style-name="ta2"')
    book = document("spreadsheet", sheets, HIDING)
    found = parsed(tmp_path, book)
    assert found.text == "## 명단\n\n| Name | Room |\n| --- | --- |\n| Kim | B |"
    assert [(notice.code, notice.part) for notice in found.warnings] == [
        ("hidden_part_skipped", "명단"),
        ("hidden_part_skipped", "뒤"),
    ]
    marked = parsed(tmp_path, book, mark=True).text
    assert "| [Hidden: GONE] | [Hidden: PAY-1] | [Hidden: A] |" in marked
    assert "## [숨김: 뒤]\n\nSHADOW" in marked
    assert "ERASED" not in marked


def test_comments_charts_and_pictures_in_a_sheet(tmp_path):
    note = f"<office:annotation>{text('겨울에는 팔지 않는다')}</office:annotation>"
    chart = frame('<draw:object xlink:href="./Object 1"/>')
    shapes = f"<table:shapes>{chart}{frame('<draw:image/>')}{box('상자')}</table:shapes>"
    rows = [row(cell("품목"), cell("값")), row(cell("호미"), cell("12", inside=note))]
    found = parsed(tmp_path, document("spreadsheet", sheet("표", shapes, *rows), **{"Object 1/content.xml": CHART}))
    assert found.text.split("\n\n")[1:] == [
        "| 품목 | 값 |\n| --- | --- |\n| 호미 | 12 [메모: 겨울에는 팔지 않는다] |",
        "점유율",
        "|  | 올해 |\n| --- | --- |\n| 북 | 0.62 |\n| 남 | 0.38 |",
        "상자",
    ]
    assert codes(found) == ["picture_without_text"]


def test_slides_are_read_in_order_with_comments_and_notes(tmp_path):
    notes = f"<presentation:notes>{box('천천히')}{box('3', attributes=NUMBER)}</presentation:notes>"
    comment = f"<office:annotation>{text('Check this')}</office:annotation>"
    first = slide(
        box("아래", (1, 9, 9, 1)),
        f"<draw:g>{box('위', (1, 4, 9, 1))}</draw:g>",
        box("오른쪽", (14, 9, 9, 1)),
        box("제목", (1, 15, 9, 1), 'presentation:class="title"'),
        box("발", (1, 18, 9, 1), 'presentation:class="footer"'),
        comment,
        notes,
    )
    last = slide(box("끝"), box("발", attributes='presentation:class="footer"'))
    hidden = slide(box("GONE"), attributes='draw:style-name="dp2"')
    deck = document("presentation", first + hidden + last, HIDING)
    found = parsed(tmp_path, deck)
    assert found.title == "제목"
    assert [page.number for page in found.pages] == [1, 3]
    assert found.pages[0].text.split("\n\n") == [
        *("## 제목", "위", "아래", "오른쪽", "발", "[Comment: Check this]", "[슬라이드 노트: 천천히]")
    ]
    assert found.pages[1].text == "끝"
    assert [(notice.code, notice.page) for notice in found.warnings] == [("hidden_part_skipped", 2)]
    assert "[Hidden]\n\nGONE" in parsed(tmp_path, deck, mark=True).text


@pytest.mark.parametrize("kind", ["spreadsheet", "presentation"])
def test_protected_damaged_and_other_documents_are_refused(tmp_path, kind):
    manifest = '<m:manifest xmlns:m="m"><m:file-entry><m:encryption-data/></m:file-entry></m:manifest>'
    cases = {
        "encrypted": document(kind, "", **{"META-INF/manifest.xml": manifest}),
        "corrupt": document(kind, "<a>" * 300),
        "unsupported_type": document("formula", ""),
    }
    for code, content in cases.items():
        with pytest.raises(DocumentError) as caught:
            parsed(tmp_path, content)
        assert caught.value.document_code == code


def test_a_million_repeated_rows_are_bounded(tmp_path):
    row_ = row(
        cell("x" * 1000, 'table:number-columns-repeated="999999"'), attributes='table:number-rows-repeated="999999"'
    )
    with pytest.raises(DocumentError) as caught:
        parsed(tmp_path, document("spreadsheet", sheet("a", row_)))
    assert caught.value.document_code == "too_large"


def test_templates_are_read_too(tmp_path):
    content = document("spreadsheet", sheet("a", row(cell("x"))), mimetype=f"{formats.ODS}-template")
    assert only_page(tmp_path, content) == "## a\n\nx"

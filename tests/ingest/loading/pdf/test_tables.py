"""Tables of PDFs, ruled or aligned, come as Markdown with their blank and merged cells."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from tests.ingest.loading.pdf.reading import read, text_of
from tests.ingest.made.pages import Sheet

ENGLISH = [["Boat", "May", "June", "Fee"], ["Heron", "12", "", "3.50"], ["Teal | small", "", "", "2"]]
KOREAN = [["배 이름", "오월", "유월", "뱃삯"], ["두루미호", "12", "", "3,500"], ["물오리호", "", "", "2,000"]]


def markdown(rows: Sequence[Sequence[str]]) -> str:
    head, *body = [f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in row)} |" for row in rows]
    return "\n".join([head, "| --- " * len(rows[0]) + "|", *body])


def placed(rows: Sequence[Sequence[str]], xs: Sequence[float], top: float = 700, pitch: float = 20) -> Sheet:
    sheet = Sheet()
    for number, row in enumerate(rows):
        for x, cell in zip(xs, row, strict=True):
            if cell:
                sheet.text(x, top - number * pitch, cell)
    return sheet


@pytest.mark.parametrize("rows", [ENGLISH, KOREAN])
def test_a_ruled_table_keeps_its_blank_cells(tmp_path, rows):
    sheet = placed(rows, [54, 164, 224, 284]).grid([50, 160, 220, 280, 340], [655, 675, 695, 715])
    assert text_of(tmp_path, sheet) == markdown(rows)


@pytest.mark.parametrize("rows", [ENGLISH, KOREAN])
def test_an_aligned_table_without_lines_keeps_them_too(tmp_path, rows):
    assert text_of(tmp_path, placed(rows, [54, 164, 224, 284])) == markdown(rows)


def test_lines_drawn_as_thin_boxes_cell_by_cell_make_a_table(tmp_path):
    sheet = placed(KOREAN, [54, 164, 224, 284])
    for x, width in ((50, 110), (160, 60), (220, 60), (280, 60)):
        for y in (655, 675, 695):
            sheet.draw(f"{x} {y} {width} 0.5 re f {x} {y + 20} {width} 0.5 re f")
            sheet.draw(f"{x} {y} 0.5 20 re f {x + width} {y} 0.5 20 re f")
    assert text_of(tmp_path, sheet) == markdown(KOREAN)


@pytest.mark.parametrize("inset", [1, 0])
def test_borders_that_are_filled_between_two_outlines_make_a_table(tmp_path, inset):
    sheet = placed(KOREAN, [54, 108, 138, 168])
    for x, width in ((50, 53), (105, 28), (135, 28), (165, 58)):
        for y in (656, 676, 696):
            # Without an inset there is no line on the left, as the cell beside has one there.
            inner = f"{x + inset} {y + 1} {width - inset - 1} 16 re"
            sheet.draw(f"{inner} {x} {y} {width} 18 re f*")
    assert text_of(tmp_path, sheet) == markdown(KOREAN)


def test_merged_cells_are_repeated_down_and_across_only_in_the_header(tmp_path):
    sheet = Sheet().text(54, 700, "Year").text(154, 700, "Catch").text(104, 680, "Eel").text(204, 680, "Carp")
    sheet.text(54, 650, "2021").text(104, 660, "7").text(204, 660, "9").text(104, 640, "none")
    for line in ("50 715 m 250 715 l", "100 695 m 250 695 l", "50 675 m 250 675 l", "100 655 m 250 655 l",
                 "50 635 m 250 635 l", "50 635 m 50 715 l", "100 635 m 100 715 l", "200 655 m 200 695 l",
                 "250 635 m 250 715 l"):  # fmt: skip
        sheet.draw(f"{line} S")
    rows = [["Year", "Catch", "Catch"], ["Year", "Eel", "Carp"], ["2021", "7", "9"], ["2021", "none", ""]]
    assert text_of(tmp_path, sheet) == markdown(rows)


def test_a_cell_of_several_lines_is_one_cell(tmp_path):
    sheet = placed([["Rule", "Why"], ["Ring the bell", "So that all"], ["", ""]], [54, 204]).text(204, 666, "hear it")
    assert text_of(tmp_path, sheet.grid([50, 200, 340], [655, 695, 715])) == markdown(
        [["Rule", "Why"], ["Ring the bell", "So that all hear it"]]
    )


def test_a_title_over_two_columns_of_an_aligned_table_is_repeated_over_both(tmp_path):
    rows = [["Pier", "", "Tide"], ["East", "open", "0.9"], ["West", "shut", "1.2"], ["North", "open", "0.3"]]
    sheet = (
        placed([["", "", ""], *rows[1:]], [54, 154, 254]).text(54, 700, "Where the piers are").text(254, 700, "Tide")
    )
    got = text_of(tmp_path, sheet)
    assert got == markdown([["Where the piers are", "Where the piers are", "Tide"], *rows[1:]])


@pytest.mark.parametrize(
    "rows",
    [
        [["Pump 1", "valve 2", "lifts 3"], ["Pump 4", "valve 5", "lifts 6"], ["Pump 7", "valve 8", "lifts 9"]],
        [["1.", "Ring the bell", ""], ["2.", "Close the gate", ""], ["3.", "Wait for the ferry", ""]],
        [["•", "종을 울립니다.", ""], ["•", "문을 닫습니다.", ""], ["•", "배를 기다립니다.", ""]],
    ],
)  # fmt: skip
def test_lines_that_read_well_are_no_table(tmp_path, rows):
    got = text_of(tmp_path, placed(rows, [54, 104, 304]))
    assert got == "\n".join(" ".join(filter(None, row)) for row in rows)


def test_a_frame_around_parts_of_a_page_is_no_table(tmp_path):
    rows = [
        ["Part", "Price"],
        ["Rope", "12"],
        ["Lamp", "7"],
        ["Hook", "3"],
        ["Sail", "90"],
        ["Oar", "11"],
        ["Keel", "8"],
    ]
    sheet = placed(rows, [54, 204]).text(54, 540, "Paid").text(204, 540, "yes")
    for line in ("40 720 m 400 720 l", "40 560 m 400 560 l", "40 530 m 400 530 l", "40 530 m 40 720 l",
                 "400 530 m 400 720 l", "190 530 m 190 560 l"):  # fmt: skip
        sheet.draw(f"{line} S")
    assert markdown(rows) in text_of(tmp_path, sheet)


def test_many_lines_of_a_drawing_are_no_table_and_cost_little(tmp_path):
    sheet = Sheet().text(54, 700, "A map of the harbour and its piers")
    sheet.draw("\n".join(f"{x / 40} 100 m {x / 40} 600 l S" for x in range(12_000)))
    assert text_of(tmp_path, sheet) == "A map of the harbour and its piers"


def test_rows_that_no_line_parts_are_told_apart_by_their_first_cells(tmp_path):
    sheet = placed(KOREAN, [54, 164, 224, 284]).draw("50 715 m 340 715 l S 50 695 m 340 695 l S 50 635 m 340 635 l S")
    sheet = sheet.text(54, 640, "왜가리호").text(284, 640, "1,000").grid([50, 160, 220, 280, 340], [635, 715])
    assert text_of(tmp_path, sheet) == markdown([*KOREAN, ["왜가리호", "", "", "1,000"]])


def test_the_last_lines_of_a_cell_without_lines_around_it_belong_to_it(tmp_path):
    rows = [
        ["Rule", "Why it is so", "Since"],
        ["Ring", "So that all hear", "1901"],
        ["Wait", "So that none is", "1902"],
    ]
    sheet = placed(rows, [54, 154, 304], pitch=34).text(154, 654, "the ferry").text(154, 620, "left behind")
    rows[1][1], rows[2][1] = "So that all hear the ferry", "So that none is left behind"
    assert text_of(tmp_path, sheet) == markdown(rows)


def test_a_cell_whose_text_begins_above_the_others_is_one_cell(tmp_path):
    sheet = Sheet().text(50, 700, "Boat").text(150, 700, "Where it lies")
    sheet.text(150, 670, "Heron lies at the old quay in the").text(150, 656, "harbour of the north.")
    sheet.text(50, 656, "Heron").text(50, 626, "Teal").text(150, 626, "Mill").text(50, 596, "Swan").text(
        150, 596, "Weir"
    )
    rows = [["Boat", "Where it lies"], ["Heron", "Heron lies at the old quay in the harbour of the north."]]
    assert text_of(tmp_path, sheet) == markdown([*rows, ["Teal", "Mill"], ["Swan", "Weir"]])


@pytest.mark.parametrize("rows", [ENGLISH, KOREAN])
def test_a_table_that_goes_on_on_the_next_page_has_its_header_there(tmp_path, rows):
    xs, edges = [54, 164, 224, 284], [50, 160, 220, 280, 340]
    more = [["Swan", "1", "", "5"], ["Coot", "", "2", "6"]]
    first = placed(rows, xs).grid(edges, [655, 675, 695, 715])
    second = placed(more, xs, top=780).grid(edges, [755, 775, 795])
    third = placed([rows[0], *more], xs, top=780).grid(edges, [735, 755, 775, 795]).text(54, 600, "Ask on the pier.")
    pages = [page.text for page in read(tmp_path, [first, second, third]).pages]
    with_header = markdown([rows[0], *more])
    assert pages == [markdown(rows), with_header, f"{with_header}\n\nAsk on the pier."]


LOCKS = [["Lock", "Rise", "Gates"], *([f"L{number}", str(number), "ab"] for number in range(1, 5))]
FURTHER = [[f"M{number}", str(number), "cd"] for number in range(1, 5)]


@pytest.mark.parametrize("top", [[], LOCKS[:1]], ids=["once", "on each page"])
def test_an_aligned_table_that_goes_on_has_its_header_on_each_page(tmp_path, top):
    sheets = [placed(LOCKS, [54, 164, 224], top=800)]
    sheets += [placed([*top, *FURTHER], [54, 164, 224], top=800) for _ in range(4)]
    pages = [page.text for page in read(tmp_path, sheets).pages]
    assert pages == [markdown(LOCKS), *[markdown([LOCKS[0], *FURTHER])] * 4]


def test_an_aligned_table_with_a_header_of_its_own_keeps_it(tmp_path):
    others = [["Weir", "Fall", "Sluice"], *FURTHER]
    pages = read(tmp_path, [placed(rows, [54, 164, 224], top=800) for rows in (LOCKS, others)]).pages
    assert pages[1].text == markdown(others)


def test_an_aligned_table_of_other_columns_close_below_is_one_of_its_own(tmp_path):
    sheet, weirs = placed(LOCKS, [54, 164, 264]), [["Weir", "Sacks"], ["Upper", "450"], ["Lower", "620"]]
    sheet.drawn += placed(weirs, [54, 224], top=700 - 20 * len(LOCKS) - 3).drawn
    assert text_of(tmp_path, sheet) == f"{markdown(LOCKS)}\n\n{markdown(weirs)}"


BERTHS = [["Boat", "Berth"], ["Heron", "12"], ["Teal", "31"]]
MORE = [["Swan", "7"], ["Coot", "9"]]


def in_columns(*columns: Sequence[Sequence[str]]) -> Sheet:
    sheet = Sheet().text(50, 760, "Where the boats lie, from the quay to the weir and the mill")
    for number, rows in enumerate(columns):
        left, bottom = 50 + 180 * number, 715 - 20 * len(rows)
        sheet.drawn += placed(rows, [left + 4, left + 84]).drawn
        sheet.grid([left, left + 80, left + 140], [bottom + 20 * row for row in range(len(rows) + 1)])
    return sheet


@pytest.mark.parametrize("columns", [[BERTHS, MORE], [BERTHS, [BERTHS[0], *MORE]], [BERTHS, MORE[:1], MORE[1:]]])
def test_a_table_that_goes_on_in_the_next_column_is_one(tmp_path, columns):
    assert markdown([*BERTHS, *MORE]) in text_of(tmp_path, in_columns(*columns))


def test_a_table_beside_another_with_names_above_its_numbers_is_one_of_its_own(tmp_path):
    got = text_of(tmp_path, in_columns(BERTHS, [["Mill", "Sacks"], *MORE]))
    assert f"{markdown(BERTHS)}\n\n{markdown([['Mill', 'Sacks'], *MORE])}" in got


def test_a_table_that_goes_on_from_the_last_column_to_the_next_page_has_its_header_there(tmp_path):
    odd = placed(MORE, [104, 184], top=780).grid([100, 180, 240], [755, 775, 795])
    pages = [page.text for page in read(tmp_path, [in_columns(BERTHS, MORE), odd]).pages]
    assert pages[1] == markdown([BERTHS[0], *MORE])


def test_lines_of_a_cell_that_end_by_themselves_stay_apart_where_words_are_broken_between_lines(tmp_path):
    sheet = Sheet().grid([50, 150, 400], [640, 695, 715]).text(54, 700, "항목").text(154, 700, "설명")
    sheet.text(54, 680, "성명 ").text(54, 664, "주소").text(154, 680, "섬에 사는 사람만 적습니").text(154, 664, "다.")
    sheet.text(54, 600, "등불은 배를 내리기 전에 밝혀 ").text(54, 584, "두고 노를 씻어 말립니다. ").text(54, 568, "끝")
    assert markdown([["항목", "설명"], ["성명 주소", "섬에 사는 사람만 적습니다."]]) in text_of(tmp_path, sheet)

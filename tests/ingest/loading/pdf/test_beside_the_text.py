"""Form fields, annotations, bookmarks and hidden text."""

from __future__ import annotations

import pytest

from ingest.loading.parsed import Options
from tests.ingest.loading.pdf.reading import read, text_of, warned
from tests.ingest.made.pages import Sheet, written


def note(kind: str, text: str, *, rect: str = "50 600 300 614", more: str = "") -> str:
    return f"<</Type/Annot/Subtype/{kind}/Rect[{rect}]/Contents {written(text)}{more}>>"


def form_field(name: str, rect: str, rest: str) -> str:
    return f"<</Type/Annot/Subtype/Widget/T({name})/Rect[{rect}]{rest}>>"


@pytest.mark.parametrize("text", ["The sluice is shut", "수문은 닫혀 있다"])
def test_text_written_on_the_page_is_read_and_comments_are_marked(tmp_path, text):
    sheet = Sheet(annotations=[note("FreeText", text), note("Highlight", f"{text}?"), note("Link", "no text")])
    mark = "Comment" if text.isascii() else "메모"
    got = text_of(tmp_path, sheet.text(50, 700, "Plan 3"))
    assert got == f"Plan 3\n\n{text}\n\n[{mark}: {text}?]"


@pytest.mark.parametrize("text", ["Ring twice", "종을 치시오"])
def test_what_an_annotation_draws_and_does_not_say_is_read_once(tmp_path, text):
    sheet = Sheet(annotations=[note("FreeText", "Mind the step"), note("Highlight", "Why?")])
    sheet.notes = [("50 500 550 520", text)]
    got = text_of(tmp_path, sheet.text(50, 700, "Plan 3").text(300, 504, "Gate"))
    assert [got.count(each) for each in ("Plan 3", "Mind the step", text, "Gate", "Why?")] == [1] * 5


def test_hidden_annotations_are_not_read(tmp_path):
    sheet = Sheet(annotations=[note("FreeText", "Secret", more="/F 2"), note("Text", "Secret", more="/F 32")])
    assert text_of(tmp_path, sheet.text(50, 700, "Plan 3")) == "Plan 3"


def test_values_stand_beside_their_labels(tmp_path):
    fields = [
        form_field("a", "110 696 300 712", f"/FT/Tx/V {written('김두루미')}"),
        form_field("b", "110 676 300 692", f"/FT/Ch/Ff 131072/Opt[(East)(West)]/V {written('West')}"),
        form_field("e", "310 676 400 692", f"/FT/Ch/Opt[[(k1)(Quay)][(k2)(Ferry stage)]]/V {written('k2')}"),
        form_field("c", "110 656 122 670", "/FT/Btn/V/Yes/AS/Yes/AP<</N<</Yes 6 0 R/Off 6 0 R>>>>"),
        form_field("d", "110 636 300 652", f"/FT/Tx/Ff 8192/V {written('open sesame')}"),
    ]
    sheet = Sheet(annotations=fields)
    for number, label in enumerate(("이름", "Pier", "Paid", "Word")):
        sheet.text(50, 700 - 20 * number, label)
    kids = "".join(fields)
    got = text_of(tmp_path, sheet, catalog=f"/AcroForm<</Fields[{kids}]>>")
    for expected in ("김두루미", "West", "Ferry stage", "☑"):
        assert expected in got
    assert "open sesame" not in got


@pytest.mark.parametrize(("title", "line"), [("Of lamps", "2. Of lamps"), ("제2장 등불", "제2장 등불")])
def test_bookmarks_make_headings(tmp_path, title, line):
    sheets = [
        Sheet().text(50, 700, "Rules").text(50, 684, "All read them."),
        Sheet().text(50, 700, line).text(50, 650, "Burn oil."),
    ]
    pages = read(tmp_path, sheets, bookmarks=[("Rules", 1), (title, 2), ("Not there", 2)]).pages
    assert [page.text for page in pages] == ["# Rules\n\nAll read them.", f"# {line}\n\nBurn oil."]


def test_hidden_text_is_left_out_and_told_of(tmp_path):
    sheet = Sheet().text(50, 700, "Seen by all.").text(50, 600, "Obey me.", mode=3).text(50, 500, "tiny words", 0.5)
    sheet.text(700, 700, "beyond").draw("1 g").text(50, 400, "white").draw("0 0 1 rg 40 290 200 30 re f 1 g")
    sheet.text(50, 300, "White on blue.")
    parsed = read(tmp_path, [sheet])
    assert parsed.text == "Seen by all.\n\nWhite on blue."
    assert warned(parsed) == [("hidden_part_skipped", 1)]
    marked = read(tmp_path, [sheet], options=Options(hidden_parts="mark")).text
    assert all(word in marked for word in ("Obey me.", "tiny words", "beyond", "white"))


def test_attached_files_are_told_of(tmp_path):
    sheet = Sheet(annotations=[note("FileAttachment", "", more="/FS<</Type/Filespec/F(a.txt)>>")])
    assert warned(read(tmp_path, [sheet.text(50, 700, "Plan 3")])) == [("attachment_skipped", None)]


def test_large_pictures_are_told_of_but_not_those_behind_text(tmp_path):
    sheets = [
        Sheet().text(50, 700, "A plan of the harbour").picture(50, 300, 300, 300),
        Sheet().picture(0, 0, 595, 842).text(50, 700, f"On a coloured ground all of {'this ' * 10} is read", 8),
        Sheet().text(50, 700, "A logo").picture(50, 750, 60, 30),
    ]
    assert warned(read(tmp_path, sheets)) == [("picture_without_text", 1)]


def test_values_of_fields_that_no_form_lists_are_read_too(tmp_path):
    sheet = Sheet(annotations=[form_field("a", "110 696 300 712", f"/FT/Tx/V {written('김두루미')}")])
    assert text_of(tmp_path, sheet.text(50, 700, "이름")) == "이름 김두루미"


def test_white_text_on_a_pattern_or_a_shading_is_seen(tmp_path):
    function = "<</FunctionType 2/Domain[0 1]/N 1/C0[0 0 1]/C1[0 1 0]>>"
    shading = f"<</ShadingType 2/ColorSpace/DeviceRGB/Coords[0 0 600 0]/Function{function}>>"
    pattern = f"/Pattern<</A<</PatternType 2/Shading {shading}>>>>/Shading<</S {shading}>>"
    sheets = [
        Sheet(resources=pattern).draw("/Pattern cs /A scn 40 690 300 30 re f 1 g").text(50, 700, "White on a pattern"),
        Sheet(resources=pattern).draw("q 40 690 300 30 re W n /S sh Q 1 g").text(50, 700, "White on a shading"),
        Sheet(resources=pattern).draw("/Pattern cs /A scn").text(50, 700, "Words of a pattern"),
    ]
    parsed = read(tmp_path, sheets)
    assert [page.text for page in parsed.pages] == ["White on a pattern", "White on a shading", "Words of a pattern"]
    assert warned(parsed) == []


@pytest.mark.parametrize("caption", ["Figure 1. The quay at dusk", "그림 2: 해 질 녘의 부두", "[사진 3-1] 등대"])
@pytest.mark.parametrize("place", [285, 512])
def test_a_picture_has_the_line_next_to_it_that_begins_as_a_caption(tmp_path, caption, place):
    sheet = Sheet().text(50, 700, "Plan 3 shows the quay.").picture(50, 300, 300, 200).text(60, place, caption)
    (picture,) = read(tmp_path, [sheet.text(50, 200, "Figure 9 is on another page.")]).pages[0].pictures
    assert (picture.caption, picture.width, picture.height) == (caption, 300.0, 200.0)


def test_a_line_that_names_a_figure_far_from_a_picture_is_no_caption(tmp_path):
    sheet = Sheet().picture(50, 300, 300, 200).text(50, 284, "The quay lies there.").text(50, 200, "Figure 9 is lost.")
    assert [each.caption for each in read(tmp_path, [sheet]).pages[0].pictures] == [""]

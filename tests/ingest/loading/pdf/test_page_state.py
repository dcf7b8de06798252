"""Pages whose text cannot be read are told of."""

from __future__ import annotations

import pytest

from app.errors import DocumentError
from ingest.loading.formats import PDF
from ingest.loading.parsed import Options, Parsed
from ingest.loading.parsers import parse
from tests.ingest.loading.pdf.reading import read, warned
from tests.ingest.made.pages import Sheet, pdf_of

ENGLISH = "The ferry to the outer island leaves at seven and comes back before the evening bell."
KOREAN = "바깥 섬으로 가는 배는 일곱 시에 떠나며 저녁 종이 울리기 전에 돌아오고 손님은 선착장에서 표를 삽니다."


def sources(parsed: Parsed) -> list[str]:
    return [page.source for page in parsed.pages]


@pytest.mark.parametrize("text", [ENGLISH, KOREAN])
def test_a_page_that_is_a_picture_is_told_of(tmp_path, text):
    sheets = [Sheet().text(50, 700, text, 9), Sheet().picture(72, 400, 300, 200), Sheet()]
    parsed = read(tmp_path, sheets)
    assert warned(parsed) == [("unreadable_page", 2)]
    assert (parsed.pages[0].text.strip(), sources(parsed)) == (text, ["text", "unreadable", "text"])


def test_a_stamp_on_a_scan_is_no_text_layer_but_ocr_is(tmp_path):
    scan = [Sheet().picture(0, 0, 595, 842) for _ in range(2)]
    parsed = read(tmp_path, [scan[0].text(50, 20, "- 1 -"), scan[1].text(50, 700, KOREAN, 9, mode=3)])
    assert warned(parsed) == [("unreadable_page", 1)]
    assert KOREAN in parsed.text


@pytest.mark.parametrize("text", [ENGLISH, KOREAN])
def test_fonts_that_do_not_say_their_characters_are_refused(tmp_path, text):
    with pytest.raises(DocumentError) as caught:
        read(tmp_path, [Sheet().text(50, 700, text, 9)], unicode=False)
    assert (caught.value.document_code, "OCR" in caught.value.detail) == ("empty", True)


def test_a_scan_in_strips_with_a_page_number_is_told_of(tmp_path):
    scan = Sheet().text(280, 20, "- 1 -")
    for top in range(10):
        scan.picture(0, 84 * top, 595, 84)
    assert warned(read(tmp_path, [scan])) == [("unreadable_page", 1)]


@pytest.mark.parametrize("end", [" f", ""], ids=["each by itself", "as one path"])
def test_a_page_of_letters_drawn_as_outlines_is_told_of(tmp_path, end):
    letters = (f"{x} 700 m {x + 3} 709 l {x + 5} 700 l {x + 3} 703 l h" for x in range(50, 550, 4))
    outlines = f"{end}\n".join(letters) + " f"
    assert warned(read(tmp_path, [Sheet().draw(outlines), Sheet().text(50, 700, ENGLISH, 9)])) == [
        ("unreadable_page", 1)
    ]


def test_a_damaged_page_does_not_take_the_others_with_it(tmp_path):
    whole = pdf_of([Sheet().text(50, 700, ENGLISH, 9), Sheet().text(50, 700, KOREAN, 9)])
    # The second page is no page any more.
    first = whole.index(b"/Type/Page/Parent") + 1
    place = whole.index(b"<</Type/Page/Parent", first)
    (tmp_path / "a.pdf").write_bytes(whole[:place] + b"[" + whole[place + 1 :])
    parsed = parse(tmp_path / "a.pdf", PDF, Options())
    assert (parsed.pages[0].text, sources(parsed)) == (ENGLISH, ["text", "unreadable"])
    assert warned(parsed) == [("unreadable_page", 2)]

"""Running heads, feet and page numbers are left out; lines of the text never are."""

from __future__ import annotations

import pytest

from ingest.loading import parsers
from ingest.loading.parsers.pdf.bands import bands_of
from ingest.loading.parsers.pdf.running_heads import Edges
from ingest.loading.parsers.pdf.words import Style, Word
from tests.ingest.loading.pdf.reading import read
from tests.ingest.made.pages import Sheet


def pages(tmp_path, sheets) -> list[str]:
    return [page.text for page in read(tmp_path, sheets).pages]


@pytest.mark.parametrize(
    ("head", "foot", "line"),
    [
        ("Heron Ferry Co. - House rules - Issue 9", "For crews only. Page {} of 4", "Ferry {} is washed by crew {}."),
        ("두루미 나루 사규집 제9판", "- {} -", "제{}호 배는 {}조가 닦는다."),
        ("Heron Ferry Co.", "두루미 나루 {} / 4", "Ferry {} is washed by crew {}."),
    ],
)
def test_what_repeats_on_each_page_is_left_out(tmp_path, head, foot, line):
    sheets = [
        Sheet()
        .text(50, 810, head, 9)
        .text(50, 770, line.format(n, n))
        .text(50, 752, "Same.")
        .text(50, 30, foot.format(n), 9)
        for n in (1, 2, 3, 4)
    ]
    found = read(tmp_path, sheets).pages
    assert [page.text for page in found] == [f"{line.format(n, n)}\nSame." for n in (1, 2, 3, 4)]
    assert [(page.head, page.foot) for page in found] == [(head, foot.format(n)) for n in (1, 2, 3, 4)]


def test_a_watermark_is_left_out_and_a_line_aslant_of_one_page_stays(tmp_path):
    def sheet(number: int, aslant: str) -> Sheet:
        turned = Sheet().text(100, 500, aslant, 36, matrix="0.7071 0.7071 -0.7071 0.7071")
        return turned.text(50, 700, f"Ferry {number} is washed by crew {number * number}.")

    found = read(tmp_path, [*(sheet(number, "대외비 문서") for number in (1, 2, 3)), sheet(4, "VOID NOW")]).pages
    lines = [f"Ferry {n} is washed by crew {n * n}." for n in (1, 2, 3, 4)]
    assert [page.text for page in found] == [*lines[:3], f"{lines[3]}\n\nVOID NOW"]
    assert [page.head for page in found] == ["대외비 문서"] * 3 + [""]


def test_a_head_that_overlaps_the_text_leaves_it_in_the_same_bands():
    style, page, edges = Style(0, 0, invisible=False, white=False), (0.0, 0.0, 100.0, 200.0), Edges()
    for crew in (1, 2):
        lines = [("House rules", 15.0), (f"Crew {crew}.", 22.9), ("Crew 3.", 60.0), ("Page", 185.0)]
        words = [Word(text, range(len(text)), 0.0, top, 50.0, top + 10, style) for text, top in lines]
        found, rest, bands = edges.find(words, [], page, 0)
    assert [edge.text for edge in found] == ["House rules", "Page"]
    assert [word.text for word in rest] == ["Crew 2.", "Crew 3."]
    assert [band.items for band in bands] == [band.items for band in bands_of(rest, 0)]


def test_pages_numbered_with_capitals_are_page_numbers(tmp_path):
    sheets = [
        Sheet().text(50, 700, f"Rule {n * n}.").text(280, 30, f"{roman} ")
        for n, roman in enumerate(["II", "III", "IV", "V"])
    ]
    assert pages(tmp_path, sheets) == [f"Rule {n * n}." for n in range(4)]


def test_a_line_in_the_middle_of_a_sentence_is_no_running_foot(tmp_path):
    sheets = [
        Sheet()
        .text(50, 132, f"Stage {n}.")
        .text(50, 116, f"At stage {n} the crew waits")
        .text(50, 100, "until the bell is rung.")
        for n in (1, 2, 3, 4)
    ]
    assert all("crew waits until the bell is rung." in page.replace("\n", " ") for page in pages(tmp_path, sheets))


def test_what_stays_in_the_text_is_not_kept_beside_it(tmp_path):
    sheets = [Sheet().text(50, 800, f"Lamp {n}", 20).text(50, 700, f"Lamp {n} burns oil.") for n in (1, 2, 3, 4)]
    assert {(page.head, page.foot) for page in read(tmp_path, sheets).pages} == {("", "")}


def test_of_a_long_head_the_beginning_is_kept(tmp_path, monkeypatch):
    monkeypatch.setattr(parsers, "MAX_LEFT_OUT", 5)
    sheets = [Sheet().text(50, 810, "Heron Ferry").text(50, 700, f"Rule {n}.") for n in range(4)]
    assert {page.head for page in read(tmp_path, sheets).pages} == {"Heron"}


def test_titles_and_lines_at_the_top_of_each_page_stay(tmp_path):
    sheets = [Sheet().text(50, 800, f"Lamp {n}", 20).text(50, 700, f"Lamp {n} burns oil.") for n in (1, 2, 3, 4)]
    assert pages(tmp_path, sheets) == [f"Lamp {n}\n\nLamp {n} burns oil." for n in (1, 2, 3, 4)]


def test_what_stands_on_two_of_many_pages_stays(tmp_path):
    sheets = [
        Sheet().text(50, 810, "Appendix" if n < 3 else f"Part {n * n}").text(50, 700, f"Rule {n}.") for n in range(1, 6)
    ]
    assert [page.split("\n")[0] for page in pages(tmp_path, sheets)] == [
        "Appendix",
        "Appendix",
        "Part 9",
        "Part 16",
        "Part 25",
    ]


def test_the_numbers_of_short_pages_are_left_out(tmp_path):
    sheets = [Sheet().text(50, 770, f"Ferry {n} sails.").text(280, 40, f"- {n} -") for n in (1, 2)]
    assert pages(tmp_path, sheets) == ["Ferry 1 sails.", "Ferry 2 sails."]


def test_pages_with_nothing_else_are_kept(tmp_path):
    assert pages(tmp_path, [Sheet().text(50, 810, "Closed today.") for _ in range(3)]) == ["Closed today."] * 3


@pytest.mark.parametrize("head", ["Heron Ferry Co.", "두루미 나루 사규집"])
def test_a_head_close_to_the_text_is_left_out_once_it_has_been_seen(tmp_path, head):
    lines = ["Oars are kept dry in the shed", "and lamps are kept in the hall", "where each guest sees them."]
    sheets = []
    for n in range(1, 5):
        sheet = Sheet().text(50, 800, head)
        for number, line in enumerate(lines):
            sheet.text(50, 784 - 16 * number, f"{line} {n * n}")
        sheets.append(sheet)
    assert [head in page for page in pages(tmp_path, sheets)] == [True, False, False, False]
    assert all("lamps are kept" in page for page in pages(tmp_path, sheets))


def test_even_and_odd_pages_have_their_own_heads(tmp_path):
    sheets = [
        Sheet()
        .text(50 if n % 2 else 400, 810, "Rules" if n % 2 else f"Chapter {n // 5}")
        .text(50, 700, f"Row {n * n}.")
        for n in range(1, 9)
    ]
    texts = pages(tmp_path, sheets)
    assert all("Rules" not in text for text in texts)
    assert [text.endswith(f"Row {n * n}.") for n, text in enumerate(texts, 1)] == [True] * 8


def test_the_title_of_a_form_that_each_page_is_stays(tmp_path):
    sheets = [Sheet().text(50, 800, "Request", 20).text(50, 700, f"From: {name}") for name in ("Kim", "Lee", "Han")]
    assert [page.startswith("Request") for page in pages(tmp_path, sheets)] == [True] * 3


def test_a_chapter_s_title_beside_the_page_s_number_is_left_out(tmp_path):
    sheets = [
        Sheet().text(50, 810, f"Part {n // 5}: Lamps").text(500, 810, f"{n + 4}").text(50, 700, f"Row {n * n}.")
        for n in range(10, 15)
    ]
    assert pages(tmp_path, sheets) == [f"Row {n * n}." for n in range(10, 15)]

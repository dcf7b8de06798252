"""Text comes as it is read: columns, turned pages, lines joined to sentences, exponents."""

from __future__ import annotations

import pytest

from tests.ingest.loading.pdf.reading import read, text_of
from tests.ingest.made.pages import Sheet

LEFT = [
    "The harbour master keeps the",
    "keys of all the lamps and of",
    "the gate, and lends them to",
    "no guest of the island at all.",
]
RIGHT = [
    "Who finds a boat adrift may",
    "tie it up at any free ring and",
    "tells the harbour master so",
    "before the evening bell rings.",
]
LEFT_KO = [
    "등대지기는 모든 등불과 문의",
    "열쇠를 가지고 있으며 섬에",
    "온 손님에게는 그 열쇠를 절대로",
    "빌려주지 않습니다.",
]
RIGHT_KO = [
    "떠내려가는 배를 찾은 사람은",
    "비어 있는 고리에 배를 매고",
    "저녁 종이 울리기 전에 등대지기",
    "에게 알려야 합니다.",
]


@pytest.mark.parametrize(("left", "right"), [(LEFT, RIGHT), (LEFT_KO, RIGHT_KO)])
@pytest.mark.parametrize("shift", [0, 7])
def test_columns_are_read_one_after_the_other(tmp_path, left, right, shift):
    """Also where their lines do not stand at the same height, and where the file draws them in turns."""
    sheet = Sheet().text(50, 760, "Of lamps and boats on the outer island, which all guests are asked to read", 14)
    for number, (one, other) in enumerate(zip(left, right, strict=True)):
        sheet.text(330, 700 - 16 * number - shift, other).text(50, 700 - 16 * number, one)
    got = text_of(tmp_path, sheet)
    places = [got.index(words) for words in ("outer island", left[0], left[2], right[0], right[2])]
    assert places == sorted(places)


def test_a_sentence_goes_on_at_the_top_of_the_next_column(tmp_path):
    ends = ["The boats are kept in the harbour", "and the lamps are lit by the har-"]
    begins = ["bour master, who counts them all.", "Ropes are dried on deck at noon."]
    sheet = Sheet().text(50, 760, "Of lamps and boats on the outer island, which all are asked to read", 14)
    for x, lines in ((50, [*ends, "bour folk. When the wind is high", ends[1]]), (320, begins)):
        sheet.lines([*lines, *begins][:4], x)
    assert "When the wind is high and the lamps are lit by the harbour master, who counts" in text_of(tmp_path, sheet)


def test_columns_may_stand_one_letter_apart(tmp_path):
    sheet = Sheet()
    beside = 50 + 7.2 * max(map(len, LEFT)) + 8.1
    for number, (one, other) in enumerate(zip(LEFT, RIGHT, strict=True)):
        sheet.text(50, 700 - 16 * number, one).text(beside, 700 - 16 * number, other)
    assert text_of(tmp_path, sheet) == "\n\n".join(" ".join(column) for column in (LEFT, RIGHT))


@pytest.mark.parametrize("rotation", [90, 180, 270])
def test_turned_pages_keep_their_lines(tmp_path, rotation):
    lines = ["Gull 4 sleeps on post 9", "Gull 5 sleeps on post 8", "갈매기 6은 말뚝 7에서 잔다"]
    matrix, at = {
        90: ("0 1 -1 0", [(100, 50), (120, 50), (140, 50)]),
        180: ("-1 0 0 -1", [(500, 100), (500, 120), (500, 140)]),
        270: ("0 -1 1 0", [(500, 800), (480, 800), (460, 800)]),
    }[rotation]
    sheet = Sheet(rotation=rotation)
    for (x, y), line in zip(at, lines, strict=True):
        sheet.text(x, y, line, matrix=matrix)
    assert text_of(tmp_path, sheet) == "\n".join(lines)


HYPHENATED = [
    "Lanterns are lit before the boats are low-",
    "ered, so that each of the rowers sees wa-",
    "ter and stones, and no boat comes near an-",
    "chors of others.",
    "Ropes are dried.",
]


def test_lines_of_a_paragraph_become_one_and_hyphens_go_where_words_are_broken(tmp_path):
    sheet = Sheet().lines(HYPHENATED)
    whole = "".join(f"{line} ".replace("- ", "") for line in HYPHENATED[:4])
    assert text_of(tmp_path, sheet) == f"{whole.strip()}\nRopes are dried."


def test_the_hyphen_of_a_word_that_has_one_stays(tmp_path):
    lines = [
        "The island keeps a book of well-",
        "known boats, and of those that are sail-",
        "ed by crews. Each crew sailed",
        "a year.",
    ]
    sheet = Sheet().lines(lines)
    assert "well-known boats" in text_of(tmp_path, sheet)
    assert "are sailed by crews" in text_of(tmp_path, sheet)


def test_the_hyphen_with_which_a_program_breaks_a_word_goes(tmp_path):
    lines = [
        "The well-",
        "kept council hears commu\u2010",
        "nications of wards and exam\u2010",
        "ines com\u2010",
        "plaints.",
    ]
    sheet = Sheet().lines(lines)
    assert text_of(tmp_path, sheet) == "The well-kept council hears communications of wards and examines complaints."


def test_a_korean_word_broken_between_lines_is_whole_where_the_file_marks_the_ends_of_words(tmp_path):
    lines = [
        "등불은 배를 내리기 훨씬 전에 먼저 밝혀 ",
        "두고 노를 젓는 사람이 모두 물을 볼 수 있",
        "게 합니다. 밧줄은 비가 그치고 난 뒤에 ",
        "말립니다.",
    ]
    sheet = Sheet().lines(lines)
    assert text_of(tmp_path, sheet) == "".join(lines)


def test_a_korean_word_broken_between_lines_is_whole_where_lines_begin_with_endings(tmp_path):
    lines = [
        "등불을 켜는 때는 다시 말하면 저녁종이 울린 다음이며 등대지기",
        "는 그 뒤에 물과 돌을 살피고 나서 밧줄을 말리고 노를 씻어 다",
        "시 창고에 넣은 다음 문을 잠그고 그 열쇠를 등대에 가져다 두고",
        "다음 사람에게 알린다.",
    ]
    sheet = Sheet().lines(lines)
    assert text_of(tmp_path, sheet) == f"{''.join(lines[:3])} {lines[3]}"


def test_exponents_are_written_as_such(tmp_path):
    sheet = (
        Sheet().text(50, 700, "About 10").text(108, 705, "6", 8).text(120, 700, "lamps on 5 m").text(207, 705, "2", 8)
    )
    sheet.text(50, 660, "CH").text(65, 657, "4", 8).text(77, 660, "is a gas")
    assert text_of(tmp_path, sheet) == "About 10^6 lamps on 5 m^2\n\nCH4 is a gas"


@pytest.mark.parametrize("matrix", ["1 0 0 1", "0 -1 1 0"])
def test_lines_that_differ_in_numbers_alone_stay_lines(tmp_path, matrix):
    lines = [f"Gull {number} sleeps on post {9 - number}" for number in range(1, 7)]
    sheet = Sheet()
    for number, line in enumerate(lines):
        sheet.text(*((50, 700 - 16 * number) if matrix[0] == "1" else (500 - 16 * number, 700)), line, matrix=matrix)
    assert text_of(tmp_path, sheet) == "\n".join(lines)


def test_lines_of_a_table_of_contents_stay_lines(tmp_path):
    lines = [
        "1   Lamps . . . . . . . . . . . . . . . . 4",
        "2   Boats and oars . . . . . . . . . . . 17",
        "3   밧줄 ························ 22",
    ]
    sheet = Sheet().lines(lines)
    assert text_of(tmp_path, sheet).split("\n") == [" ".join(line.split()) for line in lines]


def test_ligatures_are_letters(tmp_path):
    assert text_of(tmp_path, Sheet().text(50, 700, "The oﬃce is ﬁne")) == "The office is fine"


def test_turned_text_beside_straight_text_is_whole(tmp_path):
    sheet = Sheet().text(30, 300, "Printed on the 외딴섬 in May", matrix="0 1 -1 0")
    for number, line in enumerate([*LEFT, *RIGHT]):
        sheet.text(100, 700 - 16 * number, line)
    got = text_of(tmp_path, sheet)
    assert "Printed on the 외딴섬 in May" in got.split("\n")
    assert got.replace("\n", " ").count(" ".join([*LEFT, *RIGHT])) == 1


def test_a_turned_header_stands_over_its_column(tmp_path):
    sheet = Sheet().grid([50, 120, 150, 180], [640, 660, 680, 760])
    sheet.text(54, 715, "Boat").text(140, 690, "May 1", matrix="0 1 -1 0").text(170, 690, "오월 2일", matrix="0 1 -1 0")
    for row, (name, *values) in enumerate((("Heron", "12", "34"), ("Teal", "56", "78"))):
        for x, cell in zip((54, 124, 154), (name, *values), strict=True):
            sheet.text(x, 665 - 20 * row, cell)
    assert text_of(tmp_path, sheet) == (
        "| Boat | May 1 | 오월 2일 |\n| --- | --- | --- |\n| Heron | 12 | 34 |\n| Teal | 56 | 78 |"
    )


ASLANT = "0.7071 0.7071 -0.7071 0.7071"


@pytest.mark.parametrize(
    ("drawn", "read"),
    [
        ([("NOT FOR THE PUBLIC", 0)], ["NOT FOR THE PUBLIC"]),
        ([("NOT", 0), ("FOR", 90), ("THE", 180)], ["NOT FOR THE"]),
        ([("대외비", 0), ("문서", 126), ("문서", 300)], ["대외비 문서", "문서"]),
    ],
)
@pytest.mark.parametrize("rotation", [0, 90])
def test_a_line_aslant_is_whole_and_tears_no_other(tmp_path, drawn, read, rotation):
    sheet = Sheet(rotation=rotation)
    for number, line in enumerate(HYPHENATED):
        sheet.text(50, 700 - 16 * number, line) if not rotation else sheet.text(
            100 + 16 * number, 50, line, matrix="0 1 -1 0"
        )
    for text, along in drawn:
        sheet.text(100 + 0.7071 * along, 560 + 0.7071 * along, text, 36, matrix=ASLANT)
    whole = "".join(f"{line} ".replace("- ", "") for line in HYPHENATED[:4]).strip()
    assert text_of(tmp_path, sheet) == "\n\n".join([f"{whole}\nRopes are dried.", *read])


@pytest.mark.parametrize(
    ("text", "rest", "note"),
    [
        (["Ropes are dried on deck.", "Guests with bicycles on board"], "pay eleven crowns more. Dogs ride for free.",
         "1) Crowns are the money of the island."),
        (["밧줄은 갑판에서 말린다.", "자전거를 배에 실은 손님은"], "열한 냥을 더 낸다. 개는 탄다.",
         "* 냥은 섬의 돈이다."),
    ],
)  # fmt: skip
@pytest.mark.parametrize("bottom", [400, 60], ids=["in the page", "at its foot"])
def test_a_sentence_over_two_pages_does_not_end_at_a_footnote(tmp_path, text, rest, note, bottom):
    first = Sheet().text(50, 600, text[0]).text(50, 560, text[1]).text(50, bottom, note, 9)
    pages = read(tmp_path, [first, Sheet().text(50, 600, rest).text(50, 60, "2) See page 9.", 9)]).pages
    assert [page.text for page in pages] == [f"{text[0]}\n\n{note}\n\n{text[1]}", f"{rest}\n\n2) See page 9."]
    assert all(page.origins for page in pages)


PARTED = ["The boats are kept in the har-", "bour, and the lamps of the is-", "land are lit before they are low-"]


def test_a_word_over_two_pages_is_whole_on_the_first(tmp_path):
    parsed = read(tmp_path, [Sheet().lines(PARTED), Sheet().lines(["ered, so that all see them.", "Ropes are dried."])])
    whole = "The boats are kept in the harbour, and the lamps of the island are lit before they are lowered,"
    assert [page.text for page in parsed.pages] == [whole, "so that all see them.\nRopes are dried."]
    assert all(page.origins for page in parsed.pages)


def test_the_hyphen_of_a_word_that_has_one_stays_at_the_end_of_a_page(tmp_path):
    one = Sheet().lines([*PARTED[:2], "land are lit for the well-"])
    two = Sheet().lines(["known, who is known by all."])
    assert [page.text for page in read(tmp_path, [one, two]).pages] == [
        "The boats are kept in the harbour, and the lamps of the island are lit for the well-",
        "known, who is known by all.",
    ]

"""What Hancom's documents hold, in each of their formats alike."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import pytest

from ingest.loading.formats import detect
from ingest.loading.parsed import Options, Parsed
from ingest.loading.parsers import parse
from tests.ingest.made.hancom_documents import (
    Annotated,
    Aside,
    Auto,
    Box,
    Button,
    Composed,
    Deleted,
    Drawn,
    Equation,
    Field,
    Grid,
    Head,
    Par,
    Raised,
    Restart,
    Spot,
)
from tests.ingest.made.hancom_records import hwp_document
from tests.ingest.made.hancom_xml import hml_document, hwpx_document

Read = Callable[..., Parsed]


@pytest.fixture(params=[hwpx_document, hml_document, hwp_document], ids=["hwpx", "hml", "hwp"])
def read(request, tmp_path: Path) -> Read:
    def read(*paragraphs: Par, head: Head | None = None, hidden: str = "skip") -> Parsed:
        path = tmp_path / "a"
        path.write_bytes(request.param(list(paragraphs), head))
        return parse(path, detect(path, "", ""), Options(hidden))

    return read


def par(*items: object, shape: int = 0) -> Par:
    return Par(list(items), shape)


def aside(kind: str, *texts: str, number: int = 0) -> Aside:
    return Aside(kind, [par(text) for text in texts], number)


@pytest.mark.parametrize(
    ("before", "after", "note", "marked"),
    [
        ("우물은 마을 한가운데에 ", "있다.", "돌로 쌓았다.", "[각주 3: 돌로 쌓았다.]"),
        ("The well stands ", "in the square.", "Built of stone.", "[Footnote 3: Built of stone.]"),
    ],
)
def test_a_note_follows_its_paragraph_and_cuts_no_sentence(read, before, after, note, marked):
    parsed = read(par(before, aside("footNote", note, number=3), after), par("끝." if "각주" in marked else "End."))
    assert parsed.text == f"{before}{after}\n\n{marked}\n\n{'끝.' if '각주' in marked else 'End.'}"


def test_notes_in_a_table_follow_the_table_in_order(read):
    cells = [
        Box(0, 0, [par("가", aside("endNote", "뜻", number=1))]),
        Box(0, 1, [par("나", aside("footNote", "말", number=2))]),
    ]
    assert read(par("표", Grid(cells))).text == "표\n\n| 가 | 나 |\n| --- | --- |\n\n[미주 1: 뜻]\n\n[각주 2: 말]"


def test_a_notes_own_number_is_in_its_mark_alone(read):
    note = Aside("footNote", [par(Auto("footNote", 4, "CIRCLED_DIGIT"), " 물가에서 잰 값")], 4)
    assert read(par("깊이", note)).text == "깊이\n\n[각주 ④: 물가에서 잰 값]"


@pytest.mark.parametrize(
    ("paragraphs", "text"),
    [
        ([par("남긴 말. ", Deleted("지운 말."), " 더한 말."), par("다음.")], "남긴 말.  더한 말.\n\n다음."),
        ([par("The fee is ", Deleted("forty"), "fifty won.")], "The fee is fifty won."),
        ([par("앞부분 ", Deleted("지운 끝", with_end=True)), par("뒷부분.")], "앞부분 뒷부분."),
        ([par(Deleted("지운 문단", with_end=True)), par("남은 문단."), par("끝.")], "남은 문단.\n\n끝."),
        ([par(Deleted("모두 지움"))], ""),
    ],
)
def test_tracked_deletions_are_not_text(read, paragraphs, text):
    assert read(*paragraphs).text == text


def test_a_deleted_paragraph_is_not_counted(read):
    head = Head({1: ("number", 1, 0)}, [[("^1.", "DIGIT", 1)]])
    parsed = read(par("하나", shape=1), par(Deleted("버림", with_end=True), shape=1), par("둘", shape=1), head=head)
    assert parsed.text == "1. 하나\n\n2. 둘"


def test_memos_are_marked_and_hidden_comments_left_out(read):
    paragraph = par(aside("hiddenComment", "안에서만 본다."), "연못은 ", aside("memo", "깊이를 적을 것"), "얕다.")
    parsed = read(paragraph)
    assert parsed.text == "연못은 얕다.\n\n[메모: 깊이를 적을 것]"
    assert [notice.code for notice in parsed.warnings] == ["hidden_part_skipped"]
    shown = read(paragraph, hidden="mark")
    assert sorted(shown.text.split("\n\n")) == ["[메모: 깊이를 적을 것]", "[숨은 설명: 안에서만 본다.]", "연못은 얕다."]
    assert shown.warnings == []


def test_text_in_attributes_and_fields(read):
    parsed = read(
        par(Composed("14", in_circle=True), " 번째 다리, ", Composed("가", in_circle=True), " 안, ",
            Composed("㉾", in_circle=False), ", ", Annotated("橋", "교")),
        par("동의", Button("checkBtn", "예", on=True), Button("radioBtn", "아니요"), Button("btn", "보내기")),
        par("성명", Field("edit", "나한별"), Field("comboBox", "서울")),
        par("글맵시", Drawn("봄 맞이\n잔치")),
    )  # fmt: skip
    assert parsed.text.split("\n\n") == [
        "⑭ 번째 다리, ㉮ 안, ㉾, 橋(교)", "동의 ☑ 예 ○ 아니요 보내기", "성명 나한별 서울", "글맵시", "봄 맞이\n잔치",
    ]  # fmt: skip


def test_exponents_stay_apart(read):
    parsed = read(
        par("전류는 10", Raised("3"), " 암페어, 10", Raised("−"), Raised("6"), " m"),
        par("각주처럼", Raised("1)"), " x", Deleted("y"), Raised("2"), "이다"),
    )
    assert parsed.text == "전류는 10^3 암페어, 10^−6 m\n\n각주처럼1) x^2이다"


NUMBERED = Head(
    shapes={1: ("outline", 0, 0), 2: ("outline", 0, 1), 3: ("number", 2, 0), 4: ("number", 2, 1), 5: ("bullet", 1, 0),
            6: ("number", 3, 0)},
    numberings=[
        [("제^1장", "DIGIT", 1), ("^2.", "HANGUL_SYLLABLE", 1)],
        [("^1)", "DIGIT", 3), ("^1.^2)", "LATIN_SMALL", 1)],
        [("(^1)", "IDEOGRAPH", 1)],
    ],
    bullets=["◈"],
    outline=1,
)  # fmt: skip


def test_outlines_are_headings_and_numbers_are_written(read):
    parsed = read(
        par("총칙", shape=1), par("목적", shape=2), par("정의", shape=2), par("본문이다."), par("갑", shape=3),
        par("을", shape=3), par("병", shape=4), par("정", shape=4), par("무", shape=3), par("기", shape=4),
        par("경", shape=5), par("신", shape=6), par("벌칙", shape=1), par("과태료", shape=2), head=NUMBERED,
    )  # fmt: skip
    assert parsed.text.split("\n\n") == [
        "# 제1장 총칙", "## 가. 목적", "## 나. 정의", "본문이다.", "3) 갑", "4) 을", "4.a) 병", "4.b) 정", "5) 무",
        "5.a) 기", "◈ 경", "(一) 신", "# 제2장 벌칙", "## 가. 과태료",
    ]  # fmt: skip


def test_a_long_paragraph_in_an_outline_is_text(read):
    long = "물은 낮은 곳으로 흐른다. " * 20
    assert read(par(long, shape=2), head=NUMBERED).text == f"가. {long.strip()}"


def test_numbers_of_captions_and_restarts(read):
    caption = [par("표 ", Auto("table", 0), " 물의 양")]
    grid = Grid([Box(0, 0, [par("달")]), Box(0, 1, [par("양")])], caption, above=True)
    parsed = read(
        par(grid), par(grid), par(Restart("table", 7)), par(grid), par("그림 ", Auto("picture", 2, "ROMAN_CAPITAL"))
    )
    table = "| 달 | 양 |\n| --- | --- |"
    assert parsed.text == (f"표 1 물의 양\n\n{table}\n\n표 2 물의 양\n\n{table}\n\n표 7 물의 양\n\n{table}\n\n그림 II")


def test_merged_cells_and_a_caption_below(read):
    cells = [
        Box(0, 0, [par("구분")], rows=2, header=True), Box(0, 1, [par("매출")], columns=2, header=True),
        Box(1, 1, [par("2030")], header=True), Box(1, 2, [par("2031")], header=True), Box(2, 0, [par("본점")], rows=2),
        Box(2, 1, [par("7")], columns=2), Box(3, 1, [par("")]), Box(3, 2, [par("9")]),
    ]  # fmt: skip
    assert read(par(Grid(cells, [par("단위: 억")]))).text.splitlines() == [
        "| 구분 | 매출 | 매출 |", "| --- | --- | --- |", "| 구분 | 2030 | 2031 |", "| 본점 | 7 |  |", "| 본점 |  | 9 |",
        "", "단위: 억",
    ]  # fmt: skip


def test_a_table_between_lines_stays_between_them(read):
    grid = Grid([Box(0, 0, [par("가")]), Box(0, 1, [par("나")])])
    table = "| 가 | 나 |\n| --- | --- |"
    assert read(par("가. 현황\n", grid, "나. 계획")).text == f"가. 현황\n\n{table}\n\n나. 계획"
    assert read(par("나라의 ", grid, "살림")).text == f"나라의 살림\n\n{table}"


def test_heads_and_feet_come_once_and_boxes_in_place(read):
    running = [aside("header", "국립 숲 관리소"), aside("footer", "내선 31")]
    parsed = read(
        par(*running, "첫 구역."), par("둘째 ", aside("drawText", "상자 글"), "구역."), par(*running, "셋째.")
    )
    assert parsed.text == "국립 숲 관리소\n\n첫 구역.\n\n둘째 구역.\n\n상자 글\n\n셋째.\n\n내선 31"


def test_the_number_of_a_page_alone_is_no_text(read):
    assert read(par(Aside("footer", [par("- ", Auto("page", 1), " -")]), "본문.")).text == "본문."


def test_equations_stand_in_their_place(read):
    assert read(par("속력은 ", Equation("v = s over t"), " 이다.")).text == r"속력은 $v = \frac{s}{t}$ 이다."
    assert read(par("몫은 ", Equation("LONGDIV {6}{42}{7}"), " 이다.")).text == "몫은 LONGDIV {6}{42}{7} 이다."


def test_pictures_and_objects_are_told_of(read):
    parsed = read(par("그림", Spot("pic"), Spot("pic"), Spot("ole")))
    assert [notice.code for notice in parsed.warnings] == ["picture_without_text", "embedded_object_skipped"]
    assert "2 pictures" in parsed.warnings[0].detail


def test_what_a_user_wrote_about_a_picture_is_text(read):
    made = "그림입니다. 원본 그림의 이름: 1.png"
    parsed = read(par("등대 사진", Spot("pic", "바위 위의 흰 등대"), Spot("pic", made)))
    assert parsed.text == "등대 사진\n\n[그림: 바위 위의 흰 등대]"
    assert "1 picture " in parsed.warnings[0].detail


def test_tables_in_tables_are_read(read):
    paragraph = par("속")
    for _ in range(20):
        paragraph = par("겉", Grid([Box(0, 0, [paragraph]), Box(0, 1, [par("옆")])]))
    assert read(paragraph).text == f"겉\n\n| {'겉 ' * 19}속{' 옆' * 19} | 옆 |\n| --- | --- |"


@pytest.mark.parametrize(
    "item", ["가나다 ", Deleted("지움"), Equation("a over b"), Restart("table", 2), Composed("3", in_circle=True)]
)
def test_the_cost_grows_with_the_document_and_no_faster(read, item):
    def cost(count: int) -> float:
        started = time.thread_time()
        read(*[par("가", *[item] * 10)] * count, par("나", *[item] * count))
        return time.thread_time() - started

    cost(10)
    once, longer = cost(150), cost(600)
    for _ in range(5):
        if longer > 6.25 * once + 0.005:
            once, longer = min(once, cost(150)), min(longer, cost(600))
    assert longer <= 6.25 * once + 0.005

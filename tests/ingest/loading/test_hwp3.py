"""HWP 3: its characters, and what its paragraphs hold."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from app.errors import DocumentError
from ingest.loading.formats import HWP3, detect
from ingest.loading.parsed import Options, Parsed
from ingest.loading.parsers import parse
from tests.ingest.made.hancom_documents import Aside, Auto, Box, Composed, Equation, Grid, Par, Spot
from tests.ingest.made.hancom_hwp3 import hwp3_document, written


def read(folder: Path, content: bytes) -> Parsed:
    path = folder / "a"
    path.write_bytes(content)
    assert detect(path, "", "") == HWP3
    return parse(path, HWP3, Options())


def aside(kind: str, text: str, number: int = 0) -> Aside:
    return Aside(kind, [Par([text])], number)


@pytest.mark.parametrize("compressed", [True, False])
def test_hangul_hanja_symbols_and_latin(tmp_path, compressed):
    text = "수목원 규정(樹木園 規定) ○ 제1조 「물」 → 뷁 The rule of 1999."
    parsed = read(tmp_path, hwp3_document([Par([text]), Par(["다음 문단"])], compressed=compressed))
    assert (parsed.text, parsed.title) == (f"{text}\n\n다음 문단", "수목원 규정")


def test_notes_heads_comments_and_boxes(tmp_path):
    first = Par(
        [aside("header", "숲 관리소"), "못은 ", aside("footNote", "재었다.", 2), "깊다.", aside("footer", "내선 3")]
    )
    second = Par(
        ["상자 ", aside("drawText", "상자 글"), "밖", aside("hiddenComment", "감춤"), Composed("14", in_circle=False)]
    )
    parsed = read(tmp_path, hwp3_document([first, second, Par(["그림 ", Auto("picture", 1), Spot("pic")])]))
    assert parsed.text.split("\n\n") == [
        "숲 관리소", "못은 깊다.", "[각주 2: 재었다.]", "상자 밖14", "상자 글", "그림 1", "내선 3",
    ]  # fmt: skip
    assert [notice.code for notice in parsed.warnings] == ["picture_without_text", "hidden_part_skipped"]


def test_tables_with_merged_cells_and_equations(tmp_path):
    cells = [
        Box(0, 0, [Par(["구분"])], rows=2), Box(0, 1, [Par(["매출"])], columns=2), Box(1, 1, [Par(["2030"])]),
        Box(1, 2, [Par(["2031"])]),
    ]  # fmt: skip
    grid = Grid(cells, [Par(["표 ", Auto("table", 1)])])
    parsed = read(tmp_path, hwp3_document([Par(["앞", grid]), Par(["몫은 ", Equation("a over b"), " 이다."])]))
    table = "| 구분 | 매출 | 매출 |\n| --- | --- | --- |\n| 구분 | 2030 | 2031 |"
    assert parsed.text == f"앞\n\n{table}\n\n표 1\n\n몫은 $\\frac{{a}}{{b}}$ 이다."


def test_a_locked_file_says_so(tmp_path):
    with pytest.raises(DocumentError) as caught:
        read(tmp_path, hwp3_document([Par(["글"])], password=7))
    assert caught.value.document_code == "encrypted"


def test_damaged_files_are_read_or_refused(tmp_path):
    whole = hwp3_document([Par(["글", Grid([Box(0, 0, [Par(["칸"])])])]) for _ in range(5)], compressed=False)
    chance = random.Random(3)
    for _ in range(150):
        damaged = bytearray(whole[: chance.randrange(1200, len(whole))])
        for _ in range(chance.choice([0, 1, 5])):
            damaged[chance.randrange(1166, len(damaged))] = chance.randrange(256)
        try:
            read(tmp_path, bytes(damaged))
        except DocumentError as error:
            assert error.document_code in ("corrupt", "too_large")  # noqa: PT017


def test_lists_without_end_are_refused(tmp_path):
    inner = Par(["속"])
    whole = hwp3_document([Par([Aside("drawText", [inner])])], compressed=False)
    start, end = whole.index(written([Par([Aside("drawText", [inner])])])), whole.index(written([inner]))
    with pytest.raises(DocumentError) as caught:
        read(tmp_path, whole[:start] + whole[start:end] * 3000)
    assert caught.value.document_code == "corrupt"

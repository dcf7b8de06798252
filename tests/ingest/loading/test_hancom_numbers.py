"""Numbers of lists in Hancom's documents, in the cases that a simple counter gets wrong."""

from __future__ import annotations

from pathlib import Path

import pytest

from ingest.loading.formats import detect
from ingest.loading.parsed import Options
from ingest.loading.parsers import parse
from tests.ingest.made.hancom_documents import Auto, Box, Grid, Head, Par, Restart
from tests.ingest.made.hancom_records import hwp_document
from tests.ingest.made.hancom_xml import hml_document, hwpx_document

ONE, TWO, THREE = (1, ("number", 1, 0)), (2, ("number", 1, 1)), (3, ("number", 1, 2))
OTHER = (2, ("number", 2, 0))
CLAUSES = [("제^1조", "DIGIT", 1), ("^2.", "HANGUL_SYLLABLE", 3), ("^3)", "CIRCLED_DIGIT", 1)]


@pytest.fixture(params=[hwpx_document, hml_document, hwp_document], ids=["hwpx", "hml", "hwp"])
def read(request, tmp_path: Path):
    def read(paragraphs: list[Par], head: Head | None = None) -> str:
        path = tmp_path / "a"
        path.write_bytes(request.param(paragraphs, head))
        return parse(path, detect(path, "", ""), Options()).text

    return read


def listed(*items: tuple[str, int]) -> list[Par]:
    return [Par([text], shape) for text, shape in items]


def test_levels_have_their_own_starts_and_begin_again_below_the_next_clause(read):
    items = listed(("목적", 1), ("물", 2), ("불", 2), ("하나", 3), ("시행", 1), ("흙", 2))
    assert read(items, Head(dict([ONE, TWO, THREE]), [CLAUSES])).split("\n\n") == [
        "제1조 목적", "다. 물", "라. 불", "①) 하나", "제2조 시행", "다. 흙",
    ]  # fmt: skip


def test_two_lists_that_alternate_count_apart(read):
    head = Head(dict([ONE, OTHER]), [[("^1.", "DIGIT", 5)], [("(^1)", "LATIN_SMALL", 1)]])
    items = listed(("가", 1), ("나", 2), ("다", 1), ("라", 2))
    assert read(items, head).split("\n\n") == ["5. 가", "(a) 나", "6. 다", "(b) 라"]


@pytest.mark.parametrize(
    ("shown", "last"), [("HANGUL_SYLLABLE", "보. x34"), ("CIRCLED_DIGIT", "㉞. x34"), ("LATIN_SMALL", "ah. x34")]
)
def test_numbers_go_on_after_the_last_letter(read, shown, last):
    head = Head(dict([ONE]), [[("^1.", shown, 1)]])
    assert read(listed(*((f"x{n}", 1) for n in range(1, 35))), head).endswith(last)


def test_a_list_goes_on_in_cells(read):
    cells = [Box(row, column, [Par([f"{row}{column}"], column)]) for row in (0, 1) for column in (0, 1)]
    text = read(
        [*listed(("앞", 1)), Par([Grid(cells)]), *listed(("뒤", 1))], Head(dict([ONE]), [[("^1.", "DIGIT", 1)]])
    )
    assert text == "1. 앞\n\n| 00 | 2. 01 |\n| --- | --- |\n| 10 | 3. 11 |\n\n4. 뒤"


def test_captions_count_by_kind_and_begin_again_where_the_author_said(read):
    captions = [Par(["표 ", Auto("table", 0)]), Par(["그림 ", Auto("picture", 0)]), Par(["표 ", Auto("table", 0)])]
    again = [Par([Restart("table", 7), "표 ", Auto("table", 0)]), Par(["그림 ", Auto("picture", 0)])]
    assert read([*captions, *again]).split("\n\n") == ["표 1", "그림 1", "표 2", "표 7", "그림 2"]

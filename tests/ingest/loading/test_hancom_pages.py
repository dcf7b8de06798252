"""Pages of HWP and HWPX: where the lines begin again at the top, as long as all that the file says agrees."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from ingest.loading.formats import HWP, HWPX
from ingest.loading.load import Loaded
from ingest.loading.parsed import Options, Parsed
from ingest.loading.parsers import parse
from tests.ingest.made.content import DECLARATION, zipped
from tests.ingest.made.hancom import record
from tests.ingest.made.hancom_documents import Head
from tests.ingest.made.hancom_records import hwp_of

HEIGHT, LINE = 10_000, 1000


@dataclass
class Laid:
    """A paragraph, the tops of its lines, and the height of a table in it."""

    text: str
    tops: Sequence[int]
    breaks: bool = False
    table: int = 0
    shape: int = 0
    """1 is that of paragraphs that begin a page."""


def hwpx(paragraphs: Sequence[Laid], columns: int = 1) -> bytes:
    margins = '<hp:margin top="500" bottom="500" header="300" footer="200" left="900" right="900" gutter="0"/>'
    page = f'<hp:pagePr landscape="NARROWLY" width="{HEIGHT + 1500}" height="99999">{margins}</hp:pagePr>'
    first = f'<hp:secPr>{page}</hp:secPr><hp:ctrl><hp:colPr colCount="{columns}"/></hp:ctrl>'
    body = ""
    for each in paragraphs:
        lines = "".join(f'<hp:lineseg textpos="0" vertpos="{top}" vertsize="{LINE}" flags="1"/>' for top in each.tops)
        list_ = (
            f"<hp:subList><hp:p><hp:run><hp:t>{each.text}칸</hp:t></hp:run>{_array(5)}{_array(3)}</hp:p></hp:subList>"
        )
        cell = f'<hp:tc>{list_}<hp:cellAddr colAddr="0" rowAddr="0"/><hp:cellSpan colSpan="1" rowSpan="1"/></hp:tc>'
        table = f'<hp:tbl><hp:sz width="1" height="{each.table}"/><hp:tr>{cell}</hp:tr></hp:tbl>' if each.table else ""
        laid = f"<hp:linesegarray>{lines}</hp:linesegarray>" if each.tops else ""
        run = f"<hp:run>{first}<hp:t>{each.text}</hp:t>{table}</hp:run>"
        body, first = f'{body}<hp:p paraPrIDRef="{each.shape}" pageBreak="{int(each.breaks)}">{run}{laid}</hp:p>', ""
    section = f'{DECLARATION}<hs:sec xmlns:hs="s" xmlns:hp="p">{body}</hs:sec>'
    shape = '<hh:paraPr id="1"><hh:breakSetting pageBreakBefore="1"/></hh:paraPr>'
    head = f'{DECLARATION}<hh:head xmlns:hh="h">{shape}</hh:head>'
    parts = {"Contents/header.xml": head, "Contents/section0.xml": section}
    return zipped({"mimetype": "application/hwp+zip", **parts})


def _array(top: int) -> str:
    return f'<hp:linesegarray><hp:lineseg vertpos="{top}" vertsize="{LINE}"/></hp:linesegarray>'


def hwp(paragraphs: Sequence[Laid], columns: int = 1) -> bytes:
    page = struct.pack("<10I", HEIGHT + 1500, 99999, 900, 900, 500, 500, 300, 200, 0, 1)
    body = record(66, 0, bytes(24)) + record(67, 1, "\2".encode("utf-16-le") + bytes(14) + b"\r\0")
    body += record(71, 1, b"dces" + bytes(36)) + record(73, 2, page)
    body += record(71, 1, b"dloc" + struct.pack("<H", columns << 2) + bytes(10))
    for each in paragraphs:
        control = ("\x0b" + "\0" * 6 + "\x0b") if each.table else ""
        units = (each.text + control + "\r").encode("utf-16-le")
        body += record(66, 0, struct.pack("<IIHBB12x", len(units) // 2, 0, each.shape, 0, 4 * each.breaks)) + record(
            67, 1, units
        )
        body += record(69, 1, _lines(each.tops)) if each.tops else b""
        if each.table:
            body += record(71, 1, b" lbt" + struct.pack("<16xI20x", each.table)) + record(77, 2, bytes(8))
            body += record(72, 2, struct.pack("<II4H18x", 1, 0, 0, 0, 1, 1)) + record(66, 2, bytes(24))
            body += record(67, 3, f"{each.text}칸\r".encode("utf-16-le")) + record(69, 3, _lines([5, 3]))
    return hwp_of(body, Head(shapes={1: ("none", 0, 0)}, begin_pages=frozenset({1})))


def _lines(tops: Sequence[int]) -> bytes:
    return b"".join(struct.pack("<Iii24x", 0, top, LINE) for top in tops)


@pytest.fixture(params=[(hwpx, HWPX), (hwp, HWP)], ids=["hwpx", "hwp"])
def read(request, tmp_path: Path):
    write, media_type = request.param

    def read(*paragraphs: Laid, columns: int = 1) -> Parsed:
        (tmp_path / "a").write_bytes(write(paragraphs, columns))
        return parse(tmp_path / "a", media_type, Options())

    return read


def pages(parsed: Parsed) -> list[tuple[int | None, str]]:
    return [(page.number, page.text) for page in parsed.pages]


def test_a_page_begins_where_lines_begin_again_at_the_top(read):
    parsed = read(Laid("하나", [0, 1600]), Laid("둘", [3200, 4800, 6400, 0]), Laid("셋", [1600, 8000]), Laid("넷", [0]))
    assert pages(parsed) == [(1, "하나\n\n둘"), (2, "셋"), (3, "넷")]


def test_a_page_begins_where_its_author_said(read):
    parsed = read(
        Laid("표지", [0]), Laid("본문", [0], breaks=True), Laid("더", [1600]), Laid("끝", [3200], breaks=True)
    )
    assert pages(parsed) == [(1, "표지"), (2, "본문\n\n더"), (3, "끝")]


def test_a_page_begins_with_a_paragraph_whose_shape_says_so(read):
    parsed = read(Laid("제1장", [0], shape=1), Laid("본문", [1600]), Laid("제2장", [0], shape=1), Laid("끝", [1600]))
    assert pages(parsed) == [(1, "제1장\n\n본문"), (2, "제2장\n\n끝")]


def test_lines_in_a_table_begin_no_page(read):
    assert pages(read(Laid("앞", [0]), Laid("표", [1600], table=3000), Laid("뒤", [6000]))) == [
        (1, "앞\n\n표\n\n표칸\n\n뒤")
    ]


@pytest.mark.parametrize(
    "paragraphs",
    [
        [Laid("앞", [0]), Laid("표", [1600], table=9000), Laid("뒤", [600])],
        [Laid("앞", [0]), Laid("뒤", [])],
        [Laid("앞", [0]), Laid("뒤", [0])],
        [Laid("앞", [0, 1600]), Laid("뒤", [0])],
        [Laid("앞", [0]), Laid("뒤", [9900])],
    ],
    ids=[
        "a table over pages",
        "a paragraph without lines",
        "copies of a line",
        "a page almost empty",
        "below the page",
    ],
)
def test_what_does_not_agree_has_no_pages(read, paragraphs):
    parsed = read(*paragraphs)
    assert [page.number for page in parsed.pages] == [None]
    assert all(each.text in parsed.text for each in paragraphs)


def test_columns_are_no_pages(read):
    assert pages(read(Laid("가", [0, 8000]), Laid("나", [0]), columns=2)) == [(None, "가\n\n나")]


def test_pages_change_nothing_in_the_text(read):
    parsed = read(Laid("앞의 글은", [0, 8000]), Laid("뒤로 간다", [0]))
    assert [page.number for page in parsed.pages] == [1, 2]
    assert Loaded(HWPX, None, parsed.pages).text == "앞의 글은\n\n뒤로 간다"


def test_as_many_pages_as_the_file_tells(tmp_path, monkeypatch):
    monkeypatch.setattr("ingest.loading.parsers.hancom.hwp5.page_count_of", lambda _: 3)
    (tmp_path / "a").write_bytes(hwp([Laid("하나", [0, 8000]), Laid("둘", [0])]))
    assert pages(parse(tmp_path / "a", HWP, Options())) == [(None, "하나\n\n둘")]

"""What a chunk keeps of its document's structure: the header of its table, its headings, its pages."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.language.headings import heading_path
from ingest.loading.formats import CSV, JSON, JSONL, MARKDOWN, PDF, PPTX, XLSX
from ingest.loading.load import Loaded
from ingest.loading.parsed import Page
from ingest.split import Chunk, split_text
from tests.ingest.test_split import check, words

ROWS = {
    "en": ("plot | crop | litres", [f"P{n} | crop {n} | {3 * n}" for n in range(1, 90)]),
    "ko": ("밭 | 작물 | 물의 양", [f"밭{n} | 작물 {n} | {3 * n}" for n in range(1, 90)]),
}


def cut(text: str, media_type: str = MARKDOWN, *, tokens: int = 40, overlap: int = 12) -> list[Chunk]:
    return cut_pages([text], media_type, tokens=tokens, overlap=overlap)


def cut_pages(texts: list[str], media_type: str, *, tokens: int = 40, overlap: int = 12) -> list[Chunk]:
    numbers = [None] if len(texts) == 1 else range(1, len(texts) + 1)
    loaded = Loaded(media_type, None, [Page(number, text) for number, text in zip(numbers, texts, strict=True)])
    chunks = split_text(loaded, count_tokens=words, max_tokens=tokens, overlap_tokens=overlap)
    check(loaded, chunks, tokens, words)
    return chunks


@pytest.mark.parametrize("language", ROWS)
@pytest.mark.parametrize(
    "around", ["", "Some text before it, of a sentence or two. And so on."], ids=["alone", "in text"]
)
def test_each_part_of_a_table_repeats_its_header(language, around):
    header, rows = ROWS[language]
    lines = [f"| {header} |", "| --- | --- | --- |", *(f"| {row} |" for row in rows)]
    chunks = cut("\n\n".join(filter(None, (around, "\n".join(lines), around))))
    of_table = [chunk for chunk in chunks if any(line in chunk.text.splitlines() for line in lines[2:])]
    assert len(of_table) > 5
    for chunk in of_table:
        found = chunk.text.splitlines()
        assert [line for line in found if line in lines[:2]] == lines[:2]
        assert {line for line in found if line.startswith("|")} <= set(lines)
        assert found.index(lines[1]) < len(found) - 1
    repeated = [line for chunk in of_table for line in chunk.text.splitlines() if line in lines[2:]]
    assert repeated == lines[2:]


@pytest.mark.parametrize("language", ROWS)
def test_a_csv_is_cut_between_records_below_its_header(language):
    header, rows = (ROWS[language][0].replace(" | ", ","), [each.replace(" | ", ",") for each in ROWS[language][1]])
    rows[7] = '"P8, in the\nsouth",crop 8,24'
    chunks = cut("\n".join([header, *rows]) + "\n", CSV)
    assert all(chunk.text.startswith(f"{header}\n") for chunk in chunks)
    assert "\n".join(chunk.text.removeprefix(f"{header}\n") for chunk in chunks) == "\n".join(rows)
    assert [chunk.header for chunk in chunks] == [None, *[(0, len(header) + 1)] * (len(chunks) - 1)]


def test_a_header_of_two_rows_is_repeated_whole():
    header = "| region | people | people |\n| --- | --- | --- |\n| region | men | women |\n"
    chunks = cut(header + "".join(f"| R{n} | {n} | {2 * n} |\n" for n in range(1, 60)))
    assert len(chunks) > 5
    assert all(chunk.text.startswith(header) for chunk in chunks)


def test_a_title_above_a_csv_is_no_header():
    header, rows = "plot,crop,litres\n", "".join(f"P{n},crop {n},{3 * n}\n" for n in range(1, 90))
    chunks = cut("Harvest report\n\n" + header + rows, CSV)
    assert len(chunks) > 5
    assert chunks[0].text.startswith(f"Harvest report\n\n{header}P1,")
    assert all(chunk.text.startswith(header) for chunk in chunks[1:])


def test_a_row_longer_than_a_chunk_is_cut_below_its_header():
    text = "| name | note |\n| --- | --- |\n| a | short |\n" + f"| b | {'word ' * 90}|\n| c | short |\n"
    chunks = cut(text)
    assert all(chunk.text.startswith("| name | note |\n| --- | --- |\n") for chunk in chunks)
    assert any("| c | short |" in chunk.text for chunk in chunks)


def test_a_header_that_leaves_no_room_is_not_repeated():
    header = " | ".join(f"column {n}" for n in range(11))
    rows = [" | ".join(f"{n}" for n in range(11)) for _ in range(9)]
    chunks = cut("\n".join([f"| {header} |", f"|{' - |' * 11}", *(f"| {row} |" for row in rows)]))
    assert all(chunk.header is None for chunk in chunks)


@pytest.mark.parametrize("media_type", [JSON, JSONL])
def test_a_record_of_json_is_whole(media_type):
    records = [f"name: gardener {n}\nplot: P{n}\nnote: waters in the evening" for n in range(30)]
    chunks = cut("\n\n".join(records), media_type)
    assert len(chunks) > 5
    assert "\n\n".join(chunk.text for chunk in chunks) == "\n\n".join(records)


RULES = {
    "en": "# House rules\n\n" + "\n\n".join(f"## Room {n}\n\nThe door of it is shut at {n}. " * 3 for n in range(1, 9)),
    "ko": "# 사용 규칙\n\n"
    + "\n\n".join(
        f"제{n}장 {n}호실\n\n제{n}조(문) 문은 {n}시에 닫는다. 창은 {n}시에 닫는다. 불은 {n}시에 끈다."
        for n in range(1, 9)
    ),
}


@pytest.mark.parametrize("language", RULES)
def test_a_chunk_knows_the_headings_above_its_text(language):
    for chunk in cut(RULES[language], tokens=24):
        path = heading_path(None, chunk.headings)
        number = next(each for each in chunk.text.split("\n\n")[-1] if each.isdigit())
        expected = {
            "en": ["House rules", f"Room {number}"],
            "ko": ["사용 규칙", f"제{number}장 {number}호실", f"제{number}조(문)"],
        }
        assert path == expected[language], chunk


@pytest.mark.parametrize("media_type", [PPTX, XLSX])
def test_a_slide_does_not_stand_under_the_one_before(media_type):
    chunks = cut_pages(["## First\n\nOne.", "Two", "## 셋째\n\n셋."], media_type)
    assert [heading_path(None, chunk.headings) for chunk in chunks] == [["First"], [], ["셋째"]]


PAGES = {
    "en": (
        "The old harbour is closed. Whoever brings a bicycle on board of the ferry",
        "pays nine coins more. Dogs ride free.",
    ),
    "ko": (
        "옛 나루는 닫았다. 배에 자전거를 싣고 건너려는 손님은 누구든지 나루의 표 파는 곳에서",
        "아홉 닢을 더 낸다. 개는 그냥 탄다.",
    ),
}


@pytest.mark.parametrize("language", PAGES)
def test_a_sentence_over_a_page_break_is_one_with_two_pages(language):
    first, second = PAGES[language]
    chunks = cut_pages([first, second], PDF, tokens=100)
    assert [(chunk.pages, chunk.text) for chunk in chunks] == [
        ((1, 2), f"{first}\n{second[: second.index('. ') + 1]}"),
        ((2, 2), second[second.index(". ") + 2 :]),
    ]
    apart = cut_pages([f"{first}.", second], PDF, tokens=100)
    assert [chunk.pages for chunk in apart] == [(1, 1), (2, 2)]
    assert {chunk.pages for chunk in cut_pages([first, second], PPTX, tokens=100)} == {(1, 1), (2, 2)}


@given(
    st.lists(
        st.lists(
            st.sampled_from(
                [
                    "# 가 나\n\n",
                    "| a | b |\n",
                    "| - | - |\n",
                    "| 1 | 두 |\n",
                    "one, two ",
                    "셋 넷. ",
                    "\n\n",
                    "제2장 끝\n",
                ]
            ),
            max_size=30,
        ).map("".join),
        min_size=1,
        max_size=3,
    ),
    st.integers(8, 40),
    st.integers(0, 20),
    st.sampled_from([PDF, CSV, JSONL, PPTX]),
)
def test_spans_and_headers_are_exact_whatever_comes(texts, tokens, overlap, media_type):
    for chunk in cut_pages(texts, media_type, tokens=tokens, overlap=min(overlap, tokens // 2)):
        assert chunk.header is None or chunk.header[1] <= chunk.start
        assert chunk.pages is None or chunk.pages[0] <= chunk.pages[1]

"""Whatever a file holds, its notices are few and short."""

from __future__ import annotations

import json

from ingest.loading.notices import MAX_BYTES, MAX_DETAIL, MAX_PART, as_row, bounded
from ingest.loading.parsed import Notice


def test_a_few_stay_as_they_are():
    found = [Notice("unreadable_page", "A scan.", page=2), Notice("macro_skipped", "A macro.", part="표준 모듈")]
    assert bounded(found) == found
    assert as_row(found[0]) == {"code": "unreadable_page", "detail": "A scan.", "page": 2}


def test_the_same_is_told_once():
    assert bounded([Notice("truncated", "Cut.")] * 1000) == [Notice("truncated", "Cut.")]


def test_of_many_the_last_counts_the_others_and_names_their_pages():
    scans = [Notice("unreadable_page", "A scan.", page=page) for page in range(1, 301) if page not in (17, 200)]
    kept = bounded([*scans, Notice("hidden_part_skipped", "Hidden.", part="Sheet2")])
    assert [each.page for each in kept[:10]] == list(range(1, 11))
    assert kept[10].detail == "288 more of this kind, on pages 11-16, 18-199, 201-300."
    assert kept[11].part == "Sheet2"
    scattered = [Notice("unreadable_page", "A scan.", page=page) for page in range(0, 3000, 2)]
    assert bounded(scattered)[-1].detail.startswith("1,490 more of this kind, on pages 20, 22, ")
    assert bounded(scattered)[-1].detail.endswith("58 and others.")


def test_names_out_of_a_file_are_short_lines_without_controls():
    (kept,) = bounded([Notice("attachment_skipped", "a\0b\r\n" * 9999, part="첨\u0007부\n파일" * 9999)])
    assert (len(kept.detail), len(kept.part)) == (MAX_DETAIL, MAX_PART)
    assert kept.detail.startswith("ab ab ab")
    assert kept.part.startswith("첨부 파일첨부 파일")
    assert kept.part.isprintable()


def test_all_together_take_little_room():
    many = [Notice("attachment_skipped", f"{n} 읽지 않은 첨부" + "가" * 400, part="나" * 200) for n in range(5000)]
    many += [Notice("picture_without_text", f"{n}" * 300, page=n) for n in range(5000)]
    kept = bounded(many)
    assert len(json.dumps([as_row(each) for each in kept], ensure_ascii=False).encode()) <= MAX_BYTES
    assert {each.code for each in kept} == {"attachment_skipped", "picture_without_text"}
    assert sum("more of this kind" in each.detail for each in kept) == 2

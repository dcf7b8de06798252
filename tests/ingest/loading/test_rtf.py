"""RTF: what older programs write, in any charset."""

from __future__ import annotations

from pathlib import Path

import pytest

from ingest.loading.formats import RTF, detect
from ingest.loading.parsed import Options, Parsed
from ingest.loading.parsers import parse
from tests.ingest.made.rich import document, escaped, row


def read(folder: Path, body: str | bytes, options: Options | None = None) -> Parsed:
    path = folder / "a.rtf"
    path.write_bytes(body if isinstance(body, bytes) else document(body))
    assert detect(path, "a.rtf", "") == RTF
    return parse(path, RTF, options or Options())


def blocks(folder: Path, body: str) -> list[str]:
    return read(folder, body).text.split("\n\n")


def test_characters_of_every_kind(tmp_path):
    body = r"\f1\'b0\'a1\'b3\'aa \f2\'d4 \f0 {\uc2\u44032\'b0\'a1}\u-10179?\u-8704? "
    body += r"a\_b\emdash\lquote\{x\}\\\tab y\line z\par 10{\super 6} m 10{\up6 3} A"
    assert blocks(tmp_path, body) == ["가나 Ф 가😀 a-b—‘{x}\\\ty\nz", "10^6 m 10^3 A"]


def test_fonts_of_symbols_draw_what_they_show(tmp_path):
    assert blocks(tmp_path, r"\f3\'b7\f0  {\f3 a}-{\f3\u-3923?} and \f1\'b0\'a1") == ["• α-↑ and 가"]


def test_headings_lists_and_groups_that_are_no_text(tmp_path):
    body = rf"{{\info{{\title {escaped('제목 없음')}}}}}{{\*\generator X;}}\pard\s2 {escaped('둘째 마디')}\par"
    body += r"\pard\outlinelevel0 Top\par\pard{\listtext\tab 1.\tab}one\par{\pntext\'b7\tab}two\par"
    body += r"{\*\bkmkstart x}{\field{\*\fldinst REF x}{\fldrslt 3}}{\*\unknown gone}\bin5 {\}}x after\par"
    parsed = read(tmp_path, body)
    assert parsed.title == "Top"
    assert parsed.text.split("\n\n") == ["## 둘째 마디", "# Top", "1. one", "- two", "3 after"]


def test_tables_with_merged_cells(tmp_path):
    merged = r"\trhdr\clvmgf\cellx1\clmgf\cellx2\clmrg\cellx3"
    body = row("A", "B", "", definition=merged) + row("", "1", "2", definition=r"\clvmrg\cellx1\cellx2\cellx3")
    assert blocks(tmp_path, f"before\\par {body}\\pard after|\\par") == [
        "before", "| A | B | B |\n| --- | --- | --- |\n| A | 1 | 2 |", "after|",
    ]  # fmt: skip


def test_notes_comments_headers_and_footers(tmp_path):
    page = r"{\field{\*\fldinst PAGE }{\fldrslt 7}}"
    body = rf"{{\header {escaped('한빛 도서관')}\par}}{{\footer - {page} -\par Tel 5519\par}}"
    body += r"Text{\super\chftn}{\footnote{\super\chftn} First. More.} goes on"
    body += r"{\*\annotation{\*\atnid x} sure?}.\par next\par"
    assert blocks(tmp_path, body) == [
        "[머리글: 한빛 도서관]", "Text[1] goes on.", "[1: First. More.]", "[Comment: sure?]", "next",
        "[Footer: Tel 5519]",
    ]  # fmt: skip


def test_hidden_and_deleted_text_pictures_and_objects(tmp_path):
    body = r"The {\v secret }door{\deleted  not} opens.{\pict 0123}{\object{\*\objdata 00}{\result shown}}\par"
    parsed = read(tmp_path, body)
    assert parsed.text == "The door opens.shown"
    codes = ["picture_without_text", "embedded_object_skipped", "hidden_part_skipped"]
    assert [notice.code for notice in parsed.warnings] == codes
    assert read(tmp_path, body, Options("mark")).text.startswith("The [Hidden: secret]door opens.")


@pytest.mark.parametrize("filler", [b"{", b"}", b"\\", b"{\\footnote ", b"\\cell", b"\\trowd\\cellx1 a\\cell\\row{\\*"])
def test_damaged_files_end(tmp_path, filler):
    parsed = read(tmp_path, document("kept\\par ")[:-1] + filler * 5000)
    assert parsed.text.startswith("kept")

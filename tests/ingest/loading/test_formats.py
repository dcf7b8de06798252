"""Every format taken, from files made here and from real ones."""

from __future__ import annotations

import json
import os
from email.message import EmailMessage
from pathlib import Path

import pytest

from ingest.loading import formats
from ingest.loading.parsed import Options
from ingest.loading.parsers import parse
from ingest.split import split_text
from tests.conftest import SHARED_DATA, needs_shared_data
from tests.ingest.loading.reading import refusal, squeezed, take
from tests.ingest.made import ENGLISH, KOREAN, MAKERS, Content
from tests.ingest.made.content import zipped
from tests.ingest.made.hancom import compound, hwp, hwp_paragraph, hwpx, record
from tests.ingest.made.office import docx, pptx, xlsx
from tests.ingest.made.open_document import odp, ods, odt
from tests.ingest.made.plain import eml, html

REAL = SHARED_DATA / "documents"
TYPES = {
    "txt": formats.PLAIN, "md": formats.MARKDOWN, "html": formats.HTML, "csv": formats.CSV, "json": formats.JSON,
    "jsonl": formats.JSONL, "pdf": formats.PDF, "docx": formats.DOCX, "pptx": formats.PPTX, "xlsx": formats.XLSX,
    "epub": formats.EPUB, "eml": formats.EML, "hwp": formats.HWP, "hwpx": formats.HWPX, "hml": formats.HWPML,
    "rtf": formats.RTF, "odt": formats.ODT, "ods": formats.ODS, "odp": formats.ODP,
}  # fmt: skip
BY_NAME = {"md", "csv"}
TITLED = {"md", "html", "json", "docx", "rtf", "odt", "pptx", "epub", "eml", "hwpx", "hml", "odp"}
TABLES = {"md", "html", "docx", "rtf", "odt", "pptx", "xlsx", "epub", "hwp", "hwpx", "hml", "ods", "odp"}
PAGED = {"pdf", "pptx", "xlsx", "ods", "odp"}
# What becomes of each file under edge/: a phrase of its text, or the error.
EDGES = {
    "scanned_no_text_layer.pdf": "empty", "password.pdf": "encrypted", "password_protected.xlsx": "encrypted",
    "empty.txt": "empty", "hwp3.hwp": "테스트", "utf16.txt": "Doylestown, PA 18901", "cp932.csv": "佐藤太郎",
    "latin1.md": "können", "cp1252.html": "Die schöne Frau", "malformed.pptx": "Test Slide",
    "no_manifest.hwpx": "주민세 세세목의 종류가 간소화됨",
}  # fmt: skip
CODES = {"empty", "encrypted", "unsupported_type"}


def real_rows() -> list[dict]:
    return [json.loads(line) for line in (REAL / "index.jsonl").read_text().splitlines()] if REAL.is_dir() else []


@needs_shared_data
@pytest.mark.parametrize("row", real_rows(), ids=lambda row: row["file"])
async def test_real_documents_yield_their_phrases(row):
    expected = EDGES[Path(row["file"]).name] if row["file"].startswith("edge/") else ""
    if expected in CODES:
        assert (await refusal(REAL / row["file"])).document_code == expected
        return
    loaded = await take(REAL / row["file"])
    text = squeezed(loaded.text)
    assert [phrase for phrase in [*row["must_contain"], expected] if squeezed(phrase) not in text] == []


@needs_shared_data
@pytest.mark.parametrize(
    ("file", "page", "phrase"),
    [
        ("repair_invoice_3p.pdf", 2, ""),
        ("autogen_slides.pptx", 3, "| ColA | ColB | ColC | ColD | ColE | ColF |"),
        ("powerpoint_sample.pptx", 3, "Maybe a list?"),
        ("stanley_cups.xlsx", 2, "## Stanley Cups Since 67"),
        ("ko_table.hwpx", 1, "| 개똥이 | 89 | 65 | 78 |"),
        ("ko_press_release_nuri.hwp", 1, "| 배포일시 | 2018. 9. 3.(월) 09:00 | 담당부서 | 거대공공연구정책과 |"),
    ],
)
async def test_real_pages_and_tables_stay_what_they_are(file, page, phrase):
    pages = (await take(REAL / file)).pages
    assert [each.number for each in pages] == (list(range(1, len(pages) + 1)) if page else [None])
    assert phrase in pages[(page or 1) - 1].text


@pytest.mark.parametrize("content", [ENGLISH, KOREAN], ids=["en", "ko"])
@pytest.mark.parametrize("kind", MAKERS)
async def test_a_made_file_says_what_was_put_in(tmp_path, kind, content):
    # The name says nothing, except where only the name tells kinds of text apart.
    path = tmp_path / (f"a.{kind}" if kind in BY_NAME else "a.bin")
    path.write_bytes(MAKERS[kind](content))
    loaded = await take(path)
    assert loaded.media_type == TYPES[kind]
    assert loaded.title == (content.title if kind in TITLED else None)
    assert [page.number for page in loaded.pages] == ([1, 2] if kind in PAGED else [None])
    assert content.sentence in loaded.text
    assert loaded.text.index(content.sentence) < loaded.text.index(content.second)
    assert content.second in loaded.pages[-1].text
    chunks = split_text(loaded, count_tokens=words, max_tokens=8, overlap_tokens=2)
    headers = [slice(*each.header) if each.header else slice(0) for each in chunks]
    spans = [slice(each.start, each.stop) for each in chunks]
    texts = [loaded.text[header] + loaded.text[span] for header, span in zip(headers, spans, strict=True)]
    assert texts == [each.text for each in chunks]
    assert {page for each in chunks for page in each.pages or [None]} <= {page.number for page in loaded.pages}
    if kind in TABLES:
        head, row = content.rows
        assert f"{head}\n| --- | --- |\n{row}" in loaded.text


@pytest.mark.parametrize("kind", MAKERS)
def test_a_file_without_a_path_is_read(kind):
    """Another user gets it as a copy in memory, through a link to an open file."""
    copy = os.memfd_create("document")
    os.write(copy, MAKERS[kind](KOREAN))
    path = Path("/proc/self/fd", str(copy))
    parsed = parse(path, formats.detect(path, f"a.{kind}", ""), Options())
    os.close(copy)
    assert KOREAN.sentence in parsed.text


@pytest.mark.parametrize("flags", [5, 1])
async def test_a_hwp_for_distribution_is_read_not_its_notice(tmp_path, flags):
    (tmp_path / "a").write_bytes(hwp(KOREAN, flags))
    text = (await take(tmp_path / "a")).text
    assert KOREAN.sentence in text
    assert "배포용 문서입니다" not in text


def words(texts):
    """Count 2 more, as a model that marks the ends does."""
    return [len(text.split()) + 2 for text in texts]


def table(*cells: tuple[int, int, bytes], level: int = 1) -> bytes:
    """A table's records; each cell is (row, column, paragraphs)."""
    listed = [record(72, level + 1, bytes(8) + bytes([column, 0, row, 0]) + bytes(20)) + inner
              for row, column, inner in cells]  # fmt: skip
    return record(71, level, b" lbt" + bytes(40)) + record(77, level + 1, bytes(8)) + b"".join(listed)


async def test_hwp_tables_in_tables_controls_and_characters(tmp_path):
    inner = table((0, 0, hwp_paragraph("갑", 4)), (0, 1, hwp_paragraph("을|병", 4)), level=3)
    frame = table((0, 0, hwp_paragraph("틀", 2, inner)), level=1)
    grid = table((0, 0, hwp_paragraph("가", 2, inner)), (0, 1, hwp_paragraph("나", 2)))
    odd = "한\x05abcdefg글\tabcdefg\x18\x1e😀"
    formula = record(71, 1, b"deqe" + bytes(40)) + record(88, 2, bytes(4) + b"\4\0" + "x^2y".encode("utf-16-le"))
    section = hwp_paragraph("틀 앞", inner=frame) + hwp_paragraph("", inner=grid) + hwp_paragraph(odd, inner=formula)
    (tmp_path / "a").write_bytes(hwp(KOREAN, section=section))
    blocks = (await take(tmp_path / "a")).text.split("\n\n")
    assert blocks[:3] == ["틀 앞", "틀", "| 갑 | 을\\|병 |\n| --- | --- |"]
    assert blocks[3] == "| 가 갑 을\\|병 | 나 |\n| --- | --- |"
    assert blocks[4] == "한글\t- 😀$x^{2 y}$"


async def test_hwpx_notes_tabs_and_tables_in_tables(tmp_path):
    cell = "<hp:tc><hp:subList><hp:p><hp:run><hp:t>속</hp:t></hp:run></hp:p></hp:subList></hp:tc>"
    inner = f"<hp:tbl><hp:tr>{cell}</hp:tr></hp:tbl>"
    section = (
        '<hs:sec xmlns:hs="s" xmlns:hp="p"><hp:p><hp:run><hp:t>앞<hp:tab width="4"/>뒤<hp:lineBreak/>끝</hp:t></hp:run>'
        f"<hp:run>{inner}<hp:ctrl><hp:footNote><hp:subList><hp:p><hp:run><hp:t>각주</hp:t></hp:run></hp:p></hp:subList>"
        "</hp:footNote></hp:ctrl><hp:equation><hp:script>a over b</hp:script></hp:equation></hp:run></hp:p></hs:sec>"
    )
    (tmp_path / "a").write_bytes(hwpx(KOREAN, **{"Contents/section0.xml": section.encode()}))
    text = (await take(tmp_path / "a")).text
    assert text == f"앞\t뒤\n끝$\\frac{{a}}{{b}}$\n\n속\n\n[각주: 각주]\n\n{KOREAN.second}"


@pytest.mark.parametrize(
    ("title", "kept"), [("제2조의 연차", True), ("다른 문서", False), ("2024", False), ("규정", False)]
)
async def test_a_title_left_from_another_document_is_none(tmp_path, title, kept):
    content = Content(title, KOREAN.sentence, KOREAN.table, "2024 규정 제2조의 연차")
    (tmp_path / "a").write_bytes(hwpx(content, **{"Contents/section0.xml": b"<a/>"}))
    assert (await take(tmp_path / "a")).title == (title if kept else None)


async def test_a_slide_keeps_words_order_and_notes(tmp_path):
    (tmp_path / "a").write_bytes(pptx(ENGLISH))
    first, second = (await take(tmp_path / "a")).pages
    assert first.text == f"## {ENGLISH.title}\n\n{ENGLISH.sentence}\n\n[Notes: ({ENGLISH.second})]"
    assert second.text.endswith(ENGLISH.second)


async def test_what_reads_as_markup_stays_as_written(tmp_path):
    odd = Content("file_name <b>", "a_b * c #1 ~x~ C:\\new - d", [["a|b", "*c*"], ["<e>", "f"]], "- dash ![no image]")
    for make in (docx, xlsx, pptx, odt, ods, odp):
        (tmp_path / "a").write_bytes(make(odd))
        text = (await take(tmp_path / "a")).text
        for words in (odd.title, odd.sentence, odd.second, "| a\\|b | *c* |", "| <e> | f |"):
            assert words in text, make


@pytest.mark.parametrize("charset", ["utf-8", "euc-kr", "cp949", "iso-2022-kr"])
async def test_mail_in_korean_charsets(tmp_path, charset):
    (tmp_path / "a").write_bytes(eml(KOREAN, charset))
    loaded = await take(tmp_path / "a")
    assert loaded.text.startswith(
        "From: Kim <kim@example.com>\nTo: lee@example.com\nDate: Fri, 07 Jun 2024 10:00:00 +0900\n"
        f"Subject: {KOREAN.title}\n\n"
    )
    assert loaded.text.endswith(f"{KOREAN.second}\n\nAttachment: chart.bin")


async def test_mail_forwarded_or_of_html_alone(tmp_path):
    inner = EmailMessage()
    inner["Subject"] = "안의 것"
    inner.set_content(html(KOREAN).decode(), subtype="html")
    outer = EmailMessage()
    outer["Subject"], outer["MIME-Version"] = "밖의 것", "1.0"
    outer.set_content("전달합니다.")
    outer.add_attachment(inner)
    (tmp_path / "a").write_bytes(outer.as_bytes())
    loaded = await take(tmp_path / "a")
    assert loaded.title == "밖의 것"
    assert f"Subject: 안의 것\n\n# {KOREAN.title}\n\n{KOREAN.sentence}" in loaded.text


@pytest.mark.parametrize(
    ("name", "text", "media_type"),
    [
        ("a.json", "{broken", formats.PLAIN),
        ("a.txt", "[1] a footnote\n[2] another", formats.PLAIN),
        ("a.txt", '{"a": 1}\n{"a": 2}\n', formats.JSONL),
        ("a.csv", "<!DOCTYPE html><p>page</p>", formats.HTML),
        ("a.htm", "수문은 <b>오전</b>에<br>연다.", formats.HTML),
        ("a.html", "It holds if a < b, and b > c.", formats.PLAIN),
        ("a.eml", "Just a note.", formats.PLAIN),
        ("a.txt", "From: the editor\nSubject: tea\n\nNo mail, a letter.", formats.PLAIN),
        ("a.pdf", "가,나\n1,2", formats.PLAIN),
    ],
)
async def test_kinds_of_text_are_told_apart_by_what_they_hold(tmp_path, name, text, media_type):
    (tmp_path / name).write_text(text)
    assert (await take(tmp_path / name)).media_type == media_type


@pytest.mark.parametrize(
    ("content", "code", "advice"),
    [
        (compound({"Anything": b"x"}), "unsupported_type", "hwpx"),
        (compound({"EncryptedPackage": b"x"}), "encrypted", "password"),
        (hwp(KOREAN, flags=3), "encrypted", "password"),
        (hwpx(KOREAN, **{"META-INF/manifest.xml": b"<m><encryption-data/></m>"}), "encrypted", "password"),
        (hwp(KOREAN, section=hwp_paragraph("")), None, KOREAN.second),
        (zipped({"content.xml": "<a/>"}), "unsupported_type", ".docx"),
        (b"HWP Document File V2.10 \x1a" + bytes(500), "unsupported_type", ".hwpx"),
    ],
    ids=["ole", "locked", "hwp-locked", "hwpx-locked", "blank-section", "odt", "hwp2"],
)
async def test_what_is_not_taken_says_what_to_do(tmp_path, content, code, advice):
    (tmp_path / "a").write_bytes(content)
    if code is None:
        assert (await take(tmp_path / "a")).text == advice
        return
    error = await refusal(tmp_path / "a")
    assert (error.document_code, advice in error.detail) == (code, True)


@pytest.mark.parametrize("depth", [60, 150, 1000, 20_000])
async def test_a_page_loses_nothing_however_deep(tmp_path, depth):
    deep = f"{'<div>' * depth}<p>deep words</p>{'</div>' * depth}"
    (tmp_path / "a").write_text(f"<html><body><p>top</p>{deep}<p>end</p><script>no</script></body></html>")
    assert (await take(tmp_path / "a")).text.split() == ["top", "deep", "words", "end"]

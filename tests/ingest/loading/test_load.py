"""The real parsers, in their real child process."""

from __future__ import annotations

import asyncio
import io
import os
import unicodedata
import zipfile
import zlib
from contextlib import suppress

import psutil
import pytest

from ingest.loading import formats
from ingest.loading.clean_text import MARKS_CUT
from tests.conftest import EXAMPLES
from tests.ingest.loading.reading import refusal, take


@pytest.mark.parametrize(
    ("name", "media_type", "pages", "words"),
    [
        ("returns-policy.md", formats.MARKDOWN, [None], "30 days"),
        ("leave-regulation.ko.html", formats.HTML, [None], "연차"),
        ("lantern-manual.pdf", formats.PDF, [1, 2], "lantern"),
        ("rice-cooker-manual.ko.docx", formats.DOCX, [None], "밥솥"),
        ("king-sejong-annals.txt", formats.PLAIN, [None], "163"),
    ],
)
async def test_our_examples_are_read(name, media_type, pages, words):
    loaded = await take(EXAMPLES / name)
    assert loaded.media_type == media_type
    assert [page.number for page in loaded.pages] == pages
    assert words in loaded.text.lower()


@pytest.mark.parametrize(
    ("content", "text"),
    [
        ("규장각".encode("cp949"), "규장각"),
        ("규장각".encode("utf-16"), "규장각"),
        ("규장각".encode("utf-8-sig"), "규장각"),
        (unicodedata.normalize("NFD", "규장각").encode(), "규장각"),
        ("Café déjà vu, naïve".encode("latin-1"), "Café déjà vu, naïve"),
        ("plain text in UTF-16".encode("utf-16-le"), "plain text in UTF-16"),
        (b"one\r\ntwo\rthree\x0cfour", "one\ntwo\nthree\nfour"),
        ("규장각의 책과 글을 서가에 둔다".encode()[:-1], "규장각의 책과 글을 서가에 둔\ufffd"),
        (b"\xff" + "규장각의 책을 서가에 둔다".encode("cp949"), "\ufffd규장각의 책을 서가에 둔다"),
        (b"bell\x07 and text, long enough to be read as text " * 10, None),
    ],
)
async def test_charsets_and_controls(tmp_path, content, text):
    (tmp_path / "a.txt").write_bytes(content)
    loaded = (await take(tmp_path / "a.txt")).text
    assert loaded == text if text else "\x07" not in loaded


@pytest.mark.parametrize("media_type", [None, formats.PLAIN])
async def test_runs_of_combining_marks_are_cut(tmp_path, media_type):
    (tmp_path / "a.txt").write_text("x" + "\u0316" * 40 + "y")
    loaded = await take(tmp_path / "a.txt", media_type=media_type)
    assert (loaded.text, loaded.warnings) == ("x" + "\u0316" * 30 + "y", [MARKS_CUT])
    (tmp_path / "b.txt").write_text("x" + "\u0316" * 30 + "y")
    assert not (await take(tmp_path / "b.txt", media_type=media_type)).warnings


async def test_the_content_decides_not_the_name(tmp_path):
    (tmp_path / "a.pdf").write_text("Just text.")
    assert (await take(tmp_path / "a.pdf")).media_type == formats.PLAIN
    (tmp_path / "b.txt").write_text("<!DOCTYPE html><title>T</title><p>Seen</p><script>hidden()</script>")
    loaded = await take(tmp_path / "b.txt")
    assert (loaded.media_type, loaded.title) == (formats.HTML, "T")
    assert loaded.text.strip() == "Seen"
    assert "hidden" not in loaded.text


async def test_a_text_may_speak_of_pdf(tmp_path):
    (tmp_path / "a.md").write_text("# Headers\n\nSuch a file begins with %PDF-1.7.")
    assert (await take(tmp_path / "a.md")).media_type == formats.MARKDOWN
    (tmp_path / "b").write_bytes(b"\x00\xff\x81junk\n" + (EXAMPLES / "lantern-manual.pdf").read_bytes())
    assert (await take(tmp_path / "b")).media_type == formats.PDF


@pytest.mark.parametrize("content", ["`<!-- a -->`\n" * 40 + "text", "# a" + " " * 9000 + "b\n\ntext", "[a](" * 9000])
async def test_odd_text_costs_no_time(tmp_path, content):
    (tmp_path / "a.md").write_text(content)
    assert (await take(tmp_path / "a.md", timeout_s=10)).text == content.replace(" " * 9000, " ")


async def test_html_deeper_than_its_reader_follows_is_read_as_words(tmp_path):
    inside = "seen &amp; said<![foo[x]]> <!-- no --><script>if (a<b) c</script><![CDATA[x]]><p title='t'>끝 <"
    (tmp_path / "a.html").write_text("<html><body>" + "<div>" * 200 + inside + "</div>" * 200)
    loaded = await take(tmp_path / "a.html")
    assert loaded.text.split() == ["seen", "&", "said", "끝", "<"]


async def test_a_page_keeps_its_own_words(tmp_path):
    page = (
        '<?xml version="1.0"?><!-- x --><html><head><meta charset="iso-8859-1"><title>휴가 &amp;\n병가</title>'
        '<meta name="description" content="unseen"></head><body><p>휴가는 “15일”</p><pre>say charset=euc-kr\n'
        'cells[i](j)</pre><p><a href="http://x.example/">link</a></p></body></html>'
    )
    (tmp_path / "page").write_text(page)
    loaded = await take(tmp_path / "page")
    assert (loaded.media_type, loaded.title) == (formats.HTML, "휴가 & 병가")
    assert loaded.text == "휴가는 “15일”\n\nsay charset=euc-kr\ncells[i](j)\n\nlink"


@pytest.mark.parametrize("text", ["<html><p>as sent</p></html>", "%PDF-1.7 is how one begins", "PK\x03\x04"])
async def test_what_was_sent_as_text_is_text(tmp_path, text):
    (tmp_path / "a").write_text(text)
    loaded = await take(tmp_path / "a", media_type=formats.PLAIN)
    assert loaded.media_type == formats.PLAIN
    assert loaded.text == text.replace("\x03\x04", "")


async def test_a_korean_page_in_euc_kr(tmp_path):
    page = '<html><head><meta charset="euc-kr"><title>규정</title></head><body><p>휴가는 15일</p></body></html>'
    (tmp_path / "a.html").write_bytes(page.encode("euc-kr"))
    loaded = await take(tmp_path / "a.html")
    assert loaded.title == "규정"
    assert "휴가는 15일" in loaded.text


def office(**parts: bytes) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in parts.items():
            archive.writestr(name.replace("__", "/").replace("_xml", ".xml"), content)
    return buffer.getvalue()


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (b"", "empty"),
        (b" \n\t \n", "empty"),
        (os.urandom(10 << 20), "unsupported_type"),
        (b"\x89PNG\r\n\x1a\n" + bytes(500), "corrupt"),
        (b"MZ\x90\x00" + bytes(500), "unsupported_type"),
        (b"%PDF-1.7\nno PDF at all", "corrupt"),
        (b"PK\x03\x04" + os.urandom(3000), "corrupt"),
        (office(word__document_xml=b"<not><xml"), "corrupt"),
    ],
    ids=["empty", "blank", "garbage", "png", "exe", "pdf", "zip", "docx"],
)
async def test_what_is_no_document_says_so(tmp_path, content, code):
    (tmp_path / "file").write_bytes(content)
    error = await refusal(tmp_path / "file")
    assert error.document_code == code


async def test_a_cut_off_pdf_is_corrupt_or_read(tmp_path):
    whole = (EXAMPLES / "lantern-manual.pdf").read_bytes()
    (tmp_path / "cut.pdf").write_bytes(whole[: len(whole) // 3])
    assert (await refusal(tmp_path / "cut.pdf")).document_code in ("corrupt", "empty")


SLEEP = "import time\ntime.sleep(60)"


def readers() -> list[int]:
    """Return those that this process's warm parents have forked."""
    found = []
    for parent in psutil.Process().children():
        with suppress(psutil.Error):
            if "ingest.loading.child" in parent.cmdline():
                found += [each.pid for each in parent.children()]
    return found


async def test_a_reader_that_hangs_is_killed(tmp_path, reader):
    reader(SLEEP)
    assert (await refusal(tmp_path / "a", timeout_s=2)).document_code == "timeout"
    assert readers() == []


async def test_a_reader_ends_with_the_work_it_was_for(tmp_path, reader):
    reader(SLEEP)
    task = asyncio.create_task(take(tmp_path / "a"))
    while not (pids := readers()):
        await asyncio.sleep(0.02)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    # A reader that was forked at that moment is ended by its parent, for which nobody waits.
    async with asyncio.timeout(60):
        while psutil.pid_exists(pids[0]):
            await asyncio.sleep(0.02)


async def test_a_document_is_read_again_when_the_warm_parent_died(tmp_path, reader):
    page = '[None, "text", False, "", "", [], 4, 0]'
    answer = f'{{"media_type": "text/plain", "title": None, "pages": [{page}], "warnings": [], "has_members": False}}'
    waits = "import time\nif not channel.paths['document'].read_bytes(): time.sleep(60)"
    reader(f"{waits}\nchannel.send({answer}, [b'text'])")
    task = asyncio.create_task(take(tmp_path / "a"))
    while not (pids := readers()):
        await asyncio.sleep(0.02)
    (tmp_path / "a").write_text("again")
    psutil.Process(pids[0]).parent().kill()
    assert (await task).text == "text"


@pytest.mark.parametrize(
    ("program", "code"),
    [
        ("import os, signal; os.kill(os.getpid(), signal.SIGSEGV)", "corrupt"),
        ("import resource; resource.setrlimit(resource.RLIMIT_CPU, (1, 2))\nwhile True: pass", "timeout"),
        ("raise RuntimeError('our own fault')", "internal"),
    ],
    ids=["crash", "busy", "fault"],
)
async def test_a_reader_that_dies_is_explained(tmp_path, reader, caplog, program, code):
    reader(program)
    assert (await refusal(tmp_path / "a")).document_code == code
    assert ("our own fault" in str([vars(record) for record in caplog.records])) == (code == "internal")


async def test_a_greedy_reader_is_stopped(tmp_path):
    (tmp_path / "big.txt").write_bytes(b"word " * (40 << 20))
    assert (await refusal(tmp_path / "big.txt", memory_mb=256)).document_code == "too_large"


async def test_a_pdf_that_unpacks_to_too_much_is_too_large(tmp_path):
    """PDFium aborts without a word."""
    content = zlib.compress(b" " * (300 << 20), 1)
    parts = [
        b"<</Type/Catalog/Pages 2 0 R>>",
        b"<</Type/Pages/Kids[3 0 R]/Count 1>>",
        b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 9 9]/Contents 4 0 R/Resources<<>>>>",
        b"<</Length %d/Filter/FlateDecode>>stream\n%s\nendstream" % (len(content), content),
    ]
    objects = b"".join(b"%d 0 obj\n%s\nendobj\n" % each for each in enumerate(parts, 1))
    (tmp_path / "a.pdf").write_bytes(b"%PDF-1.7\n" + objects + b"trailer<</Size 5/Root 1 0 R>>\n%%EOF")
    error = await refusal(tmp_path / "a.pdf", memory_mb=384)
    assert (error.document_code, "KYUJANG_LOAD_MEMORY_MB" in error.detail) == ("too_large", True)

"""Pages through the sandboxed child, read by Tesseract."""

from __future__ import annotations

import asyncio
import io
import os
import signal
import struct
import zlib

import pytest
from PIL import Image

from app.sandbox.forked import PARENTS
from app.sandbox.subprocesses import ENVIRONMENT
from ingest.ocr import reader
from ingest.ocr.reader import OcrLimits, OcrReader
from tests.ingest.ocr.scanned import ENGLISH, KOREAN, TABLE, needs_tesseract, noisy, sample, scanned_pdf, tiff

pytestmark = needs_tesseract
LIMITS = OcrLimits(memory_mb=2048, page_s=500)


async def test_pages_are_read_in_both_languages_with_tables_and_boxes(tmp_path):
    (tmp_path / "scan").write_bytes(tiff("ko", "en", "table"))
    async with OcrReader(tmp_path / "scan", "image/tiff", LIMITS) as opened:
        pages = [await opened.read(number) for number in (1, 2, 3)]
    assert [page.unreadable or page.text for page in pages] == [KOREAN, ENGLISH, TABLE]
    korean = pages[0]
    assert [korean.text[word.start : word.stop] for word in korean.words] == KOREAN.split()
    # The sample is 216 by 26 points; its words stand from left to right on one line.
    lefts = [word.left for word in korean.words]
    assert lefts == sorted(lefts)
    assert all(0 < word.left < 216 and 0 < word.top < 26 and word.width > 3 for word in korean.words)
    assert [pages[2].text[word.start : word.stop] for word in pages[2].words] == ["구분", "수량", "실록", "서른", "권"]


async def test_a_crooked_scan_with_grain_is_read_and_its_boxes_lie_on_the_page_as_it_came(tmp_path):
    picture = noisy(sample("ko"), 3)
    picture.save(tmp_path / "scan.png", dpi=(300, 300))
    async with OcrReader(tmp_path / "scan.png", "image/png", LIMITS) as opened:
        page = await opened.read(1)
    assert page.text == KOREAN
    first, last = page.words[0], page.words[-1]
    # Turned counterclockwise by 3 degrees, the line climbs by a twentieth of its length.
    climbed = (first.top + first.height / 2) - (last.top + last.height / 2)
    assert climbed == pytest.approx((last.left - first.left) / 19, abs=3)


async def test_tesseract_is_given_one_thread(tmp_path, monkeypatch):
    """Its own four wait for each other: a page takes five times the processor time."""
    started = []

    async def start(*_, environment, **__):
        started.append(environment)
        raise asyncio.CancelledError

    monkeypatch.setattr(reader.ChildProcess, "start", start)
    with pytest.raises(asyncio.CancelledError):
        await OcrReader(tmp_path / "scan", "image/tiff", LIMITS).read(1)
    assert [each["OMP_THREAD_LIMIT"] for each in started] == ["1"]


async def test_a_page_is_read_again_when_the_parent_of_its_child_has_died(tmp_path):
    (tmp_path / "scan").write_bytes(tiff("ko", "en"))
    async with OcrReader(tmp_path / "scan", "image/tiff", LIMITS) as opened:
        assert (await opened.read(1)).text == KOREAN
        parent = PARENTS.get(reader.CHILD, ENVIRONMENT | reader.ONE_THREAD)
        parent.process.kill()
        assert (await opened.read(2)).text == ENGLISH


async def test_a_page_of_a_pdf_is_drawn_and_read(tmp_path):
    (tmp_path / "scan.pdf").write_bytes(scanned_pdf("ko"))
    async with OcrReader(tmp_path / "scan.pdf", "application/pdf", LIMITS) as opened:
        assert (await opened.read(1)).text == KOREAN


def png_of(width: int, height: int) -> bytes:
    """Return a PNG that says how large it is and holds next to nothing."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    head = struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(b"")) + chunk(b"IEND", b"")


def cut_off() -> bytes:
    file = io.BytesIO()
    sample("ko").save(file, "JPEG")
    return file.getvalue()[:200]


@pytest.mark.parametrize(
    ("content", "media_type", "why"),
    [
        (png_of(100_000, 100_000), "image/png", "million pixels"),
        (png_of(8000, 8000), "image/png", "damaged"),
        (cut_off(), "image/jpeg", "damaged"),
    ],
    ids=["bomb", "hollow", "cut off"],
)
async def test_a_hostile_picture_is_unreadable_with_a_reason(tmp_path, content, media_type, why):
    (tmp_path / "scan").write_bytes(content)
    async with OcrReader(tmp_path / "scan", media_type, LIMITS) as opened:
        page = await opened.read(1)
    assert page.text == ""
    assert why in (page.unreadable or "")


async def test_a_child_that_ends_costs_one_page(tmp_path, monkeypatch):
    (tmp_path / "scan").write_bytes(tiff("table", "ko"))
    async with OcrReader(tmp_path / "scan", "image/tiff", LIMITS) as opened:
        child = await opened._started("read")
        os.kill(child._process.pid, signal.SIGKILL)
        lost, read = await opened.read(1), await opened.read(2)
    assert (lost.text, read.text) == ("", KOREAN)
    assert lost.unreadable == reader.WHY["killed"]


async def test_a_page_that_takes_too_long_is_given_up(tmp_path, monkeypatch):
    monkeypatch.setattr(reader, "START_S", 0)
    Image.new("L", (900, 110), 255).save(tmp_path / "scan.png")
    async with OcrReader(tmp_path / "scan.png", "image/png", OcrLimits(2048, 0.001)) as opened:
        assert (await opened.read(1)).unreadable == reader.WHY["out of time"]
        assert opened._child is None

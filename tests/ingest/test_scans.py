"""The way of a scan: each page is read once and stored, whatever stops the worker. What reads it is made up here."""

from __future__ import annotations

import asyncio
import io
from dataclasses import replace
from pathlib import Path

import pypdfium2
import pytest

from app.storage import processing
from app.storage.words import WordBox, pack, unpack
from ingest import scans
from ingest.jobs.queue import MAX_ATTEMPTS, ClaimedDocument, TaskFailed, TurnOver
from ingest.jobs.retry import refuse_after_too_many
from ingest.ocr.reader import PageRead
from tests.ingest.made.content import KOREAN
from tests.ingest.made.plain import pdf
from tests.ingest.ocr.scanned import scanned_pdf, tiff
from tests.ingest.working import Worker, rows, until

pytestmark = pytest.mark.usefixtures("nothing_queued")

TEXTS = {1: "규장각은 아침에 연다.", 2: "The gate closes at dusk.", 3: "세 번째 장이다."}


class Pages:
    """Stands in for the child. `unreadable` pages have a reason; at `hold` it waits for `go_on`."""

    def __init__(self) -> None:
        self.read_: list[int] = []
        self.unreadable: set[int] = set()
        self.hold: int | None = None
        self.go_on = asyncio.Event()

    def __call__(self, *_):
        return self

    async def __aenter__(self):
        return self

    async def __aexit__(self, *_):
        pass

    async def read(self, number):
        self.read_.append(number)
        if number == self.hold:
            await self.go_on.wait()
        if number in self.unreadable:
            return PageRead(unreadable="The page is damaged and cannot be drawn.")
        return PageRead(TEXTS[number], [WordBox(0, 4, 7.5, 8.0, 28.0, 9.5)])


@pytest.fixture
def pages(monkeypatch):
    made = Pages()
    monkeypatch.setattr(scans, "OcrReader", made)
    monkeypatch.setattr(scans, "is_installed", lambda: True)
    return made


@pytest.fixture
async def working(services):
    async with Worker(services):
        yield


async def send(client, content: bytes, name="scan.pdf", **fields):
    return (await client.post("/ingest", files={"file": (name, content)}, data={"id": "scan", **fields})).json()


async def ingested(client, content: bytes, **fields) -> dict:
    job = await send(client, content, **fields)
    return (await until(client, job["id"], "succeeded", "failed"))["documents"][0]


async def text_of(client) -> str:
    return (await client.get("/documents/scan/text")).json()["text"]


async def test_a_scan_is_read_and_the_places_of_its_words_are_kept(working, pages, new_tenant, owner_url):
    client = await new_tenant()
    item = await ingested(client, scanned_pdf("ko", "en", "table"))
    assert (item["status"], item["pages"]) == ("succeeded", {"text": 0, "ocr": 3, "unreadable": 0})
    assert item["warnings"] == []
    assert await text_of(client) == "\n\n".join(TEXTS.values())
    stored = rows(owner_url, "select page, words from document_words order by page")
    assert [page for page, _ in stored] == [1, 2, 3]
    assert unpack(stored[0][1]) == [WordBox(0, 4, 7.5, 8.0, 28.0, 9.5)]
    assert rows(owner_url, "select count(*) from staged_pages") == [(0,)]


async def test_pictures_are_documents(working, pages, new_tenant):
    client = await new_tenant()
    item = await ingested(client, tiff("ko", "en"), name="scan.tif")
    assert item["pages"] == {"text": 0, "ocr": 2, "unreadable": 0}
    assert (await client.get("/documents/scan")).json()["media_type"] == "image/tiff"


async def test_a_worker_that_stops_leaves_its_pages_and_none_is_read_twice(services, pages, new_tenant, owner_url):
    client = await new_tenant()
    job = await send(client, scanned_pdf("ko", "en", "table"))
    pages.hold = 3
    async with Worker(services), asyncio.timeout(60):
        while pages.read_ != [1, 2, 3]:
            await asyncio.sleep(0.05)
        shown = (await client.get(f"/jobs/{job['id']}")).json()["documents"][0]
        assert shown["pages"] == {"text": 0, "ocr": 2, "unreadable": 1}
    assert rows(owner_url, "select page from staged_pages order by page") == [(1,), (2,)]
    pages.go_on.set()
    async with Worker(services):
        await until(client, job["id"], "succeeded")
    # The page in hand was not finished.
    assert pages.read_ == [1, 2, 3, 3]
    assert await text_of(client) == "\n\n".join(TEXTS.values())


async def test_a_scan_gives_its_lane_up_between_two_pages(services, pages, new_tenant, monkeypatch):
    client = await new_tenant()
    others = [True]

    async def give_way(*_):
        if others:
            others.pop()
            raise TurnOver

    monkeypatch.setattr("ingest.pipeline.TURN_S", -1)
    monkeypatch.setattr("ingest.jobs.queue.give_way", give_way)
    async with Worker(services):
        item = await ingested(client, scanned_pdf("ko", "en", "table"))
    assert item["status"] == "succeeded"
    assert sorted(pages.read_) == [1, 2, 3]


async def test_a_page_that_cannot_be_read_is_told_of(working, pages, new_tenant):
    client = await new_tenant()
    pages.unreadable = {2}
    item = await ingested(client, scanned_pdf("ko", "en", "table"))
    assert item["pages"] == {"text": 0, "ocr": 2, "unreadable": 1}
    detail = "The page is damaged and cannot be drawn."
    assert item["warnings"] == [{"code": "unreadable_page", "page": 2, "part": None, "detail": detail}]


async def test_a_scan_without_ocr_is_refused_and_with_it_read(working, pages, new_tenant):
    client = await new_tenant()
    item = await ingested(client, scanned_pdf("ko"), ocr="never")
    assert (item["status"], item["error"]["code"], pages.read_) == ("failed", "empty", [])
    assert (await ingested(client, scanned_pdf("ko"), ocr="auto"))["status"] == "succeeded"
    assert pages.read_ == [1]


async def test_how_scans_are_read_is_part_of_the_identity(working, pages, new_tenant):
    client = await new_tenant()
    content = pdf(KOREAN)
    states = [(await ingested(client, content, **fields))["status"] for fields in ({}, {}, {"ocr": "force"})]
    assert states == ["succeeded", "unchanged", "succeeded"]
    assert pages.read_ == [1, 2]
    document = (await client.get("/documents/scan")).json()
    assert (document["ocr"], document["pages"]["ocr"]) == ("force", 2)
    assert KOREAN.sentence not in await text_of(client)


async def test_what_is_no_mode_is_refused(new_tenant):
    client = await new_tenant()
    answer = await client.post("/ingest", files={"file": ("a.pdf", b"%PDF-1.4")}, data={"ocr": "always"})
    assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (422, "/ocr")


def test_deaths_count_since_the_last_page_that_was_stored():
    claim = ClaimedDocument(1, "job_1", 0, 40, "worker", 39, "scan", "1/abc", 1, b"", "scan.pdf", kind="ingest")
    refuse_after_too_many(claim)
    with pytest.raises(TaskFailed):
        refuse_after_too_many(replace(claim, progressed_in=39 - MAX_ATTEMPTS))


def test_words_are_packed_and_come_back():
    words = [WordBox(0, 3, 7.7, 8.3, 28.3, 9.8), WordBox(4, 8, -0.4, 0.0, 1.0, 2000.1)]
    assert unpack(pack(words)) == words
    assert len(pack(words * 500)) < 500


async def test_pages_that_lack_ocr_are_read_again_once_there_is_one(working, pages, new_tenant, monkeypatch):
    client = await new_tenant()
    monkeypatch.setattr(scans, "is_installed", lambda: False)
    monkeypatch.setattr(processing, "data_folder", lambda: None)
    item = await ingested(client, mixed())
    assert item["pages"] == {"text": 2, "ocr": 0, "unreadable": 1}
    assert not (await client.get("/documents/scan")).json()["outdated"]
    assert await rechunked(client) == 0

    monkeypatch.setattr(scans, "is_installed", lambda: True)
    monkeypatch.setattr(processing, "data_folder", lambda: Path("/usr/share"))
    assert (await client.get("/documents/scan")).json()["outdated"]
    assert await rechunked(client) == 1
    document = (await client.get("/documents/scan")).json()
    assert (document["pages"], document["outdated"]) == ({"text": 2, "ocr": 1, "unreadable": 0}, False)
    assert TEXTS[3] in await text_of(client)


async def test_who_wants_no_ocr_lacks_none(working, pages, new_tenant, monkeypatch):
    client = await new_tenant()
    monkeypatch.setattr(scans, "is_installed", lambda: False)
    await ingested(client, mixed(), ocr="never")
    monkeypatch.setattr(processing, "data_folder", lambda: Path("/usr/share"))
    assert not (await client.get("/documents/scan")).json()["outdated"]


def mixed() -> bytes:
    """Two pages with text and then a scanned one."""
    document = pypdfium2.PdfDocument(pdf(KOREAN))
    document.import_pages(pypdfium2.PdfDocument(scanned_pdf("ko")))
    file = io.BytesIO()
    document.save(file)
    return file.getvalue()


async def rechunked(client) -> int:
    job = (await client.post("/documents/rechunk", json={}, params={"wait": 60})).json()
    return job["counts"]["succeeded"]

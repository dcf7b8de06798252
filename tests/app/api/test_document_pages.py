"""Pages as they look, and where parts of the text stand on them, judged by another reader of PDFs: poppler."""

from __future__ import annotations

import html
import io
import re
import shutil
import subprocess
import unicodedata
from typing import NamedTuple

import psycopg
import pypdfium2
import pytest
from PIL import Image, ImageColor

from app.pages import drawing, pdf_page, picture_page
from app.sandbox.forked import ParentDied
from app.storage.words import WordBox, pack
from tests.conftest import NewTenant, ingest_text
from tests.ingest.made.pages import Sheet, pdf_of
from tests.ingest.ocr.scanned import KOREAN as SCANNED
from tests.ingest.ocr.scanned import needs_tesseract, tiff

needs_poppler = pytest.mark.skipif(
    shutil.which("pdftotext") is None, reason="an independent reader of PDFs is missing: apt-get install poppler-utils"
)
LINE = 16
WORD = re.compile(r'<word xMin="([\d.-]+)" yMin="([\d.-]+)" xMax="([\d.-]+)" yMax="([\d.-]+)">(.*?)</word>')
ENGLISH = [
    "The lantern of the barge hangs at the bow and is",
    "lit at dusk. Its keel is tarred twice in a year, and",
    "the ropes are kept dry under the deck of the boat.",
]
KOREAN = [
    "나룻배의 등불은 뱃머리에 매달아 두고 해가 질 때",
    "켠다. 용골은 한 해에 두 번 칠하며, 밧줄은 젖지",
    "않게 갑판 아래에 둔다. 노는 뱃전에 눕혀 놓는다.",
]
QUOTED = {
    "en": ["Its keel is tarred twice in a year, and", "lit at dusk.", "dry under the deck", "barge hangs", "Oars 12"],
    "ko": ["용골은 한 해에 두 번 칠하며,", "켠다.", "않게 갑판 아래에 둔다.", "매달아 두고", "밧줄 12"],
}


class Word(NamedTuple):
    x: float
    y: float
    text: str


def sheet(lines: list[str], cells: list[str], *, rotation: int = 0) -> Sheet:
    page = Sheet(rotation=rotation)
    for number, line in enumerate(lines):
        page.text(60, 700 - LINE * number, line)
    page.grid([55, 200, 400], [495, 515, 535])
    for row, y in zip(("Goods", cells[0]), (520, 500), strict=True):
        page.text(60, y, row).text(210, y, "12" if row != "Goods" else "Count")
    return page


def upright_sheet(lines: list[str]) -> Sheet:
    """Lines that run up a page which lies on its side, so that they are level on the screen."""
    page = Sheet(rotation=90)
    for number, line in enumerate(lines):
        page.text(200 + LINE * number, 100, line, matrix="0 1 -1 0")
    return page


FILES = {
    "en": pdf_of([sheet(ENGLISH, ["Oars"]), sheet(KOREAN, ["밧줄"])]),
    "ko": pdf_of([sheet(KOREAN, ["밧줄"]), sheet(ENGLISH, ["Oars"])]),
    "turned": pdf_of([upright_sheet(ENGLISH), upright_sheet(KOREAN)]),
}


@pytest.fixture(scope="module")
async def shelf(worker, new_tenant: NewTenant):
    client = await new_tenant()
    for name, content in FILES.items():
        sent = await client.post("/ingest?wait=60", files={"file": (f"{name}.pdf", content)}, data={"id": name})
        assert sent.json()["status"] == "succeeded", sent.text
    await ingest_text(client, "No pages. 쪽이 없다.", id="plain")
    return client


async def boxes_of(client, document_id, page, quote):
    text = (await client.get(f"/documents/{document_id}/text")).json()["text"]
    # In a table the reader writes what stands between two cells.
    found = re.search(r"[\s|]+".join(map(re.escape, quote.split())), text)
    assert found is not None, (quote, text)
    part = {"start": found.start(), "end": found.end()}
    answer = await client.get(f"/documents/{document_id}/pages/{page}/boxes", params=part)
    assert answer.status_code == 200, answer.text
    return answer.json()


def read_by_poppler(path, content, page) -> list[Word]:
    path.write_bytes(content)
    command = ["pdftotext", "-bbox", "-cropbox", "-f", str(page), "-l", str(page), str(path), "-"]
    shown = subprocess.run(command, capture_output=True, check=True, timeout=60).stdout.decode()
    return [
        Word((float(x0) + float(x1)) / 2, (float(y0) + float(y1)) / 2, html.unescape(text))
        for x0, y0, x1, y1, text in WORD.findall(shown)
    ]


def inside(words: list[Word], boxes, down: float = 0) -> str:
    """Return the words whose middle lies in a box, in the order of the boxes."""
    return " ".join(
        word.text
        for box in boxes
        for word in words
        if box["x"] <= word.x <= box["x"] + box["width"]
        and box["y"] + down <= word.y <= box["y"] + down + box["height"]
    )


@needs_poppler
@pytest.mark.parametrize(("document", "page", "language"), [("en", 1, "en"), ("en", 2, "ko"), ("ko", 1, "ko")])
async def test_another_reader_finds_the_quote_and_nothing_else_inside_the_boxes(
    shelf, tmp_path, document, page, language
):
    words = read_by_poppler(tmp_path / "a.pdf", FILES[document], page)
    for quote in QUOTED[language]:
        found = await boxes_of(shelf, document, page, quote)
        assert (found["width"], found["height"]) == (595, 842)
        assert "reason" not in found
        assert inside(words, found["boxes"]) == quote
        # Drawn a line too low or too high, they would hold something else.
        assert inside(words, found["boxes"], LINE) != quote
        assert inside(words, found["boxes"], -LINE) != quote


@needs_poppler
@pytest.mark.parametrize(
    ("page", "quote"), [(1, "Its keel is tarred twice in a year, and"), (2, "용골은 한 해에 두 번")]
)
async def test_on_a_page_that_lies_on_its_side_too(shelf, tmp_path, page, quote):
    words = read_by_poppler(tmp_path / "a.pdf", FILES["turned"], page)
    found = await boxes_of(shelf, "turned", page, quote)
    assert (found["width"], found["height"]) == (842, 595)
    assert inside(words, found["boxes"]) == quote
    assert inside(words, found["boxes"], LINE) != quote


async def test_each_line_and_each_cell_has_one_box(shelf):
    lines = (await boxes_of(shelf, "en", 1, "bow and is lit at dusk."))["boxes"]
    assert [round(box["y"] / LINE) for box in lines] == [round(lines[0]["y"] / LINE), round(lines[0]["y"] / LINE) + 1]
    cells = (await boxes_of(shelf, "en", 1, "Oars 12"))["boxes"]
    assert [box["x"] for box in cells] == pytest.approx([60, 210], abs=1)


async def test_a_part_is_cut_to_the_page(shelf):
    pages = (await shelf.get("/documents/en/text")).json()["pages"]
    whole = {"start": pages[0]["span"]["start"], "end": pages[1]["span"]["end"]}
    for page, other in ((1, 2), (2, 1)):
        both = (await shelf.get(f"/documents/en/pages/{page}/boxes", params=whole)).json()
        own = {"start": pages[page - 1]["span"]["start"], "end": pages[page - 1]["span"]["end"]}
        assert both == (await shelf.get(f"/documents/en/pages/{page}/boxes", params=own)).json()
        elsewhere = (await shelf.get(f"/documents/en/pages/{other}/boxes", params=own)).json()
        assert (elsewhere["boxes"], elsewhere["reason"]) == ([], "nothing_there")


async def test_a_page_is_drawn_as_large_as_asked_for_and_kept(shelf, monkeypatch):
    for dpi, width in ((72, 595), (144, 1190)):
        answer = await shelf.get(f"/documents/en/pages/1.png?dpi={dpi}")
        assert answer.headers["content-type"] == "image/png"
        picture = Image.open(io.BytesIO(answer.content)).convert("L")
        assert picture.width == pytest.approx(width, abs=1)
        # The grid is drawn; whether the text is depends on the fonts of the machine.
        assert min(picture.get_flattened_data()) < 128
    answer = await shelf.get("/documents/en/pages/1.png")
    monkeypatch.setattr(drawing, "open_child", None)
    assert (await shelf.get("/documents/en/pages/1.png")).content == answer.content
    unchanged = await shelf.get("/documents/en/pages/1.png", headers={"If-None-Match": answer.headers["etag"]})
    assert (unchanged.status_code, unchanged.content) == (304, b"")
    assert answer.headers["content-security-policy"].startswith("sandbox")


async def test_the_cache_is_bounded(shelf, monkeypatch):
    monkeypatch.setattr(drawing, "MAX_CACHED_BYTES", 1)
    assert (await shelf.get("/documents/en/pages/2.png?dpi=50")).status_code == 200
    drawer = shelf._transport.app.state.page_drawer
    assert drawer._kept == {}


@pytest.mark.parametrize("route", ["pages/3.png", "pages/3/boxes?start=0&end=5", "pages/0.png", "pages/x.png"])
async def test_a_page_that_is_not_there(shelf, route):
    answer = await shelf.get(f"/documents/en/{route}")
    assert answer.status_code == (404 if "3" in route else 422)


async def test_what_has_no_pages_to_draw_says_so(shelf):
    for route in ("pages/1.png", "pages/1/boxes?start=0&end=5"):
        answer = await shelf.get(f"/documents/plain/{route}")
        assert (answer.status_code, answer.json()["code"]) == (422, "page_not_shown")


async def test_a_part_without_characters_is_refused(shelf):
    assert (await shelf.get("/documents/en/pages/1/boxes?start=5&end=5")).status_code == 422
    assert (await shelf.get("/documents/en/pages/1/boxes")).status_code == 422


async def test_without_the_places_of_its_characters_a_page_has_no_box_and_says_why(shelf, owner_url):
    with psycopg.connect(owner_url) as connection:
        kept = connection.execute("select page, origins from document_pages where document_id = 'ko'").fetchall()
        connection.execute("update document_pages set origins = null where document_id = 'ko'")
        connection.commit()
        found = await boxes_of(shelf, "ko", 1, "켠다.")
        assert (found["boxes"], found["reason"]) == ([], "no_places")
        # Those of the other page.
        connection.execute("update document_pages set origins = %s where document_id = 'ko'", [kept[1][1]])
        connection.commit()
        found = await boxes_of(shelf, "ko", 1, "켠다.")
        assert (found["boxes"], found["reason"]) == ([], "other_characters")


def of_version_01(connection, document_id, content) -> None:
    """Leave of a document what version 0.1 kept: chunks of what PDFium says, each of one page."""
    pages = [page.get_textpage().get_text_bounded() for page in pypdfium2.PdfDocument(content)]
    texts = [unicodedata.normalize("NFC", page.replace("\r\n", "\n")) for page in pages]
    where = "document_id = %s"
    for table in ("document_pages", "document_texts"):
        connection.execute(f"delete from {table} where {where}", [document_id])
    connection.execute("update documents set loader = null, splitter = null where id = %s", [document_id])
    start = 0
    for number, text in enumerate(texts, 1):
        words = text.strip()
        begins = start + text.index(words)
        changed = "update chunks set content = %s, start = %s, stop = %s, header_start = null where page = %s and "
        connection.execute(changed + where, [words, begins, begins + len(words), number, document_id])
        start += len(text) + 2
    connection.commit()


@needs_poppler
async def test_what_version_01_read_has_boxes_where_the_page_still_says_it(shelf, owner_url, tmp_path):
    file = ("first.pdf", FILES["ko"])
    await shelf.post("/ingest?wait=60", files={"file": file}, data={"id": "first"})
    with psycopg.connect(owner_url) as connection:
        of_version_01(connection, "first", FILES["ko"])
        for page, language in ((1, "ko"), (2, "en")):
            words = read_by_poppler(tmp_path / "a.pdf", FILES["ko"], page)
            for quote in (QUOTED[language][0], QUOTED[language][-1]):
                found = await boxes_of(shelf, "first", page, quote)
                assert inside(words, found["boxes"]) == quote
                assert inside(words, found["boxes"], LINE) != quote
        other = await boxes_of(shelf, "first", 1, "Its keel is tarred")
        assert (other["boxes"], other["reason"]) == ([], "nothing_there")
        changed = "update chunks set content = replace(content, 'keel', 'kiel') where document_id = 'first'"
        connection.execute(changed)
        connection.commit()
    found = await boxes_of(shelf, "first", 2, "lit at dusk.")
    assert (found["boxes"], found["reason"]) == ([], "no_places")
    assert (await boxes_of(shelf, "first", 1, "켠다."))["boxes"]


async def test_a_page_that_takes_too_long_is_not_shown(shelf, monkeypatch):
    monkeypatch.setattr(drawing, "TIMEOUT_S", 0.001)
    answer = await shelf.get("/documents/turned/pages/1.png")
    assert (answer.status_code, answer.json()["code"]) == (422, "page_not_shown")


async def test_a_page_is_drawn_again_when_the_warm_parent_died(shelf, monkeypatch):
    real, forked = drawing.open_child, list[bool]()

    def dies_once(*given, **options):
        forked.append(options["forked"])
        if len(forked) == 1:
            raise ParentDied
        return real(*given, **options)

    monkeypatch.setattr(drawing, "open_child", dies_once)
    assert (await shelf.get("/documents/turned/pages/1.png?dpi=37")).status_code == 200
    assert forked == [True, True]


@pytest.mark.parametrize(("colour", "mode"), [("white", "L"), ("gray", "L"), ("red", "RGB")])
def test_a_page_without_colours_is_written_without_them(colour, mode):
    drawn = Image.open(io.BytesIO(picture_page.png(Image.new("RGBA", (8, 8), colour))))
    assert (drawn.mode, drawn.convert("RGB").getpixel((3, 3))) == (mode, ImageColor.getrgb(colour))


def test_a_huge_page_is_drawn_coarser(tmp_path):
    content = pdf_of([Sheet()]).replace(b"[0 0 595 842]", b"[0 0 9999 99]")
    (tmp_path / "a.pdf").write_bytes(content.replace(b"[0 0 9999 99]", b"[0 0 9e3 9e3]"))
    picture = pdf_page.PdfPage(tmp_path / "a.pdf", 1).draw(300)
    assert picture.width * picture.height <= pdf_page.MAX_PIXELS * 1.01


@needs_tesseract
async def test_the_ink_of_a_scan_lies_inside_the_boxes_of_its_words(shelf):
    sent = await shelf.post("/ingest?wait=60", files={"file": ("scan.tif", tiff("ko", "en"))}, data={"id": "scan"})
    assert sent.json()["status"] == "succeeded", sent.text
    picture = Image.open(io.BytesIO((await shelf.get("/documents/scan/pages/1.png?dpi=300")).content)).convert("L")
    whole = await boxes_of(shelf, "scan", 1, SCANNED)
    first = await boxes_of(shelf, "scan", 1, " ".join(SCANNED.split()[:2]))
    everything = share_of_ink(picture, whole)
    assert everything > 0.97
    assert 0.2 < share_of_ink(picture, first) < 0.6
    # Drawn a line too low, the box would hold the paper below.
    assert share_of_ink(picture, whole, down=whole["boxes"][0]["height"]) < 0.1


def share_of_ink(picture: Image.Image, found, down: float = 0) -> float:
    scale = picture.width / found["width"]
    dark = picture.point(lambda value: value < 128 and 255)
    (box,) = found["boxes"]
    x, y = box["x"], box["y"] + down
    inside = dark.crop(tuple(round(scale * side) for side in (x, y, x + box["width"], y + box["height"])))
    return inside.histogram()[255] / dark.histogram()[255]


async def test_words_of_a_scan_are_whole_and_joined_along_their_lines(shelf, owner_url):
    words = [WordBox(0, 3, 10, 20, 30, 10), WordBox(4, 6, 45, 21, 20, 9), WordBox(7, 9, 10, 40, 20, 10)]
    with psycopg.connect(owner_url) as connection:
        connection.execute(
            "insert into document_words select tenant_id, id, 1, %s from documents where id = 'turned'", [pack(words)]
        )
        connection.commit()
        found = (await shelf.get("/documents/turned/pages/1/boxes?start=1&end=8")).json()
        connection.execute("delete from document_words where document_id = 'turned'")
    assert found["boxes"] == [
        {"x": 10, "y": 20, "width": 55, "height": 10},
        {"x": 10, "y": 40, "width": 20, "height": 10},
    ]

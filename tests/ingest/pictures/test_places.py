"""Where the pictures of documents stand, and which they are."""

from __future__ import annotations

import io
import time

import pytest
from PIL import Image

from app.storage.origins import MADE, pack, unpack
from ingest.loading.formats import Text, detect
from ingest.loading.parsed import Options, Page
from ingest.loading.parsers import parse
from ingest.loading.picture_places import WITH_PLACES, names_in, place_of, with_texts
from ingest.pictures.files import FINDERS, finder
from tests.ingest.pictures import documents

BEFORE, AFTER = "정문 앞의 등대", "The gate closes at dusk"
MADE_BY = {
    "a.docx": lambda before, after: documents.docx(before, documents.RED, after),
    "a.pptx": documents.pptx,
    "a.hwpx": documents.hwpx,
    "a.hwp": documents.hwp,
    "a.odt": documents.odt,
    "a.odp": documents.odp,
    "a.epub": documents.epub,
    "a.html": documents.html,
    "a.pdf": documents.pdf,
}


@pytest.mark.parametrize("name", MADE_BY)
def test_a_picture_leaves_a_mark_by_which_it_is_found(tmp_path, name):
    path = tmp_path / name
    path.write_bytes(MADE_BY[name](BEFORE, AFTER))
    found = detect(path, name, "")
    parsed = parse(path, found, Options(picture_places=True))
    (picture,) = names_in(parsed.text)
    assert parsed.text.split("\n\n") == [BEFORE, place_of(picture), AFTER]
    assert parsed.warnings == []
    shown = finder(path, found.media_type if isinstance(found, Text) else found)(picture)
    image = Image.open(io.BytesIO(shown)) if isinstance(shown, bytes) else shown
    red, green, blue = image.convert("RGB").getpixel((image.width // 2, image.height // 2))
    assert (red > 100, green == blue) == (True, True)
    assert min(image.size) > 60


@pytest.mark.parametrize("name", MADE_BY)
def test_without_a_model_there_is_no_mark(tmp_path, name):
    path = tmp_path / name
    path.write_bytes(MADE_BY[name](BEFORE, AFTER))
    assert parse(path, detect(path, name, ""), Options()).text.split("\n\n") == [BEFORE, AFTER]


def test_a_format_whose_pictures_are_not_found_has_no_mark(tmp_path):
    html = documents.html(BEFORE, AFTER).decode()
    path = tmp_path / "a.eml"
    path.write_text(f"From: a@b.example\nMIME-Version: 1.0\nContent-Type: text/html; charset=utf-8\n\n{html}")
    parsed = parse(path, detect(path, path.name, ""), Options(picture_places=True))
    assert AFTER in parsed.text
    assert names_in(parsed.text) == []
    assert set(FINDERS) == set(WITH_PLACES)


def test_a_text_takes_the_place_of_a_mark():
    page = Page(1, f"가나\n\n{place_of('a')}\n\n| {place_of('a')} |\n\n{place_of('b')}\n\n다라")
    described = with_texts(page, {"a": "x|y", "b": ""})
    assert described.text == "가나\n\nx|y\n\n| x\\|y |\n\n다라"


def test_the_other_characters_keep_their_origins():
    mark = place_of("a")
    runs = [(2, 10), (2 + len(mark) + 2, MADE), (3, 30)]
    described = with_texts(Page(1, f"가나\n\n{mark}\n\n다라마", origins=pack(runs)), {"a": "xyz"})
    assert described.text == "가나\n\nxyz\n\n다라마"
    origins = [
        first + n if first != MADE else MADE for length, first in unpack(described.origins) for n in range(length)
    ]
    assert origins == [10, 11, *[MADE] * 7, 30, 31, 32]


def test_a_page_without_a_mark_stays_as_it_is():
    page = Page(1, "가나", origins=b"\x01")
    assert with_texts(page, {}) is page


def test_the_cost_grows_with_the_lines_and_no_faster():
    def cost(lines: int) -> float:
        page = Page(None, place_of("a") + "\n" * lines)
        started = time.thread_time()
        assert with_texts(page, {}).text == "\n" * lines
        return time.thread_time() - started

    assert cost(200_000) < 10 * cost(50_000) + 0.1

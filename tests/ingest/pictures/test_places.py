"""Where the pictures of documents stand, and which they are."""

from __future__ import annotations

import gc
import io
import time
from dataclasses import replace

import pytest
from PIL import Image

from app.storage.origins import MADE, pack, unpack
from ingest.loading.formats import MARKDOWN, Text, detect
from ingest.loading.parsed import Options, Page, Picture
from ingest.loading.parsers import MAX_PICTURES, WITH_PLACES, parse
from ingest.loading.picture_marks import AFTER as END_OF_MARK
from ingest.loading.picture_marks import BEFORE as START_OF_MARK
from ingest.loading.picture_marks import CAPTION, caption, in_points, picture_text
from ingest.loading.picture_places import taken_out, with_texts
from ingest.pictures.files import FINDERS, finder
from tests.ingest.made.word import p, r, word
from tests.ingest.pictures import documents

BEFORE, AFTER = "정문 앞의 등대", "The gate closes at dusk"
DESCRIBED, NOTED = Options(describes_pictures=True), Options()
MARKING = replace(NOTED, picture_places=True)
MADE_BY = {
    "a.docx": lambda before, after: documents.docx(before, documents.RED, after),
    "a.pptx": documents.pptx,
    "a.xlsx": documents.xlsx,
    "a.hwpx": documents.hwpx,
    "a.hwp": documents.hwp,
    "a.odt": documents.odt,
    "a.odp": documents.odp,
    "a.ods": documents.ods,
    "a.epub": documents.epub,
    "a.html": documents.html,
    "a.pdf": documents.pdf,
}


def read(folder, name, content, options=NOTED):
    path = folder / name
    path.write_bytes(content)
    return parse(path, detect(path, name, ""), options)


@pytest.mark.parametrize("options", [NOTED, DESCRIBED])
@pytest.mark.parametrize("name", MADE_BY)
def test_a_picture_has_a_place_and_is_found_by_its_name(tmp_path, name, options):
    content = MADE_BY[name](BEFORE, AFTER)
    parsed = read(tmp_path, name, content, options)
    assert parsed.text.replace("## S\n\n", "").split("\n\n") == [BEFORE, AFTER]
    (page,) = [page for page in parsed.pages if page.pictures]
    (picture,) = page.pictures
    assert picture.start == picture.stop
    assert page.text[: picture.start].strip().endswith(BEFORE)
    found = detect(tmp_path / name, name, "")
    shown = finder(tmp_path / name, found.media_type if isinstance(found, Text) else found)(picture.name)
    image = Image.open(io.BytesIO(shown)) if isinstance(shown, bytes) else shown
    red, green, blue = image.convert("RGB").getpixel((image.width // 2, image.height // 2))
    assert (red > 100, green == blue) == (True, True)
    assert min(image.size) > 60
    counted = options is NOTED and name != "a.html" and name != "a.epub"
    assert [each.code for each in parsed.warnings] == ["picture_without_text"] * counted


def test_a_format_whose_pictures_are_not_found_has_none(tmp_path):
    html = documents.html(BEFORE, AFTER).decode()
    mail = f"From: a@b.example\nMIME-Version: 1.0\nContent-Type: text/html; charset=utf-8\n\n{html}"
    parsed = read(tmp_path, "a.eml", mail.encode(), DESCRIBED)
    assert AFTER in parsed.text
    assert START_OF_MARK not in parsed.text
    assert [page.pictures for page in parsed.pages] == [()]
    assert {*FINDERS, MARKDOWN} == set(WITH_PLACES)


def test_what_a_document_says_of_its_pictures_is_kept(tmp_path):
    for name, content, alt, size, caption_ in documents.with_captions():
        parsed = read(tmp_path, name, content)
        (page,) = parsed.pages
        (picture,) = page.pictures
        assert (picture.alt, picture.width, picture.height, picture.unit) == (alt, *size), name
        assert picture.caption == caption_, name
        assert caption_ in parsed.text, name
        shown = page.text[picture.start : picture.stop]
        assert shown == "" or alt in shown, name
        assert bool(shown) == (bool(alt) and name != "a.html"), name
        assert START_OF_MARK not in parsed.text, name


def test_a_text_box_with_a_number_beside_a_picture_is_its_caption(tmp_path):
    for text, said in (("그림 1. 등대", "그림 1. 등대"), ("[Figure 2] The mill", "[Figure 2] The mill"), (AFTER, "")):
        (page,) = read(tmp_path, "a.pptx", documents.pptx(BEFORE, text)).pages
        assert [picture.caption for picture in page.pictures] == [said]
        assert page.text == f"{BEFORE}\n\n{text}"


def test_pictures_in_the_heads_of_pages_are_described_once(tmp_path):
    shown = "<w:r><w:drawing><wp:docPr/><a:blip r:embed='logo'/></w:drawing></w:r>"
    listed = '<Relationships xmlns="r"><Relationship Id="logo" Type="image" Target="media/logo.png"/></Relationships>'
    heads = [f'<w:sectPr><w:headerReference w:type="default" r:id="header{n}"/></w:sectPr>' for n in (1, 2)]
    beside = {f"word/_rels/header{n}.xml.rels": listed.encode() for n in (1, 2)}
    beside["word/media/logo.png"] = documents.png(documents.RED)
    made = word(p(r(BEFORE), heads[0]) + heads[1], header1=p(shown), header2=p(shown) + p(AFTER), **beside)
    for options, names in ((DESCRIBED, ["word/media/logo.png"]), (NOTED, [])):
        (page,) = read(tmp_path, "a.docx", made, options).pages
        assert [picture.name for picture in page.pictures] == names
        assert page.text == f"[Header: {AFTER}]\n\n{BEFORE}"


def test_marks_leave_no_trace_in_the_text():
    alone = picture_text(MARKING, "a")
    shown = picture_text(MARKING, "b", in_points(100, 50, 10), "탑", "[그림: 탑]")
    texts = {
        f"가\n\n{alone}\n\n나": ("가\n\n나", [(1, 1)]),
        f"{alone}\n\n{alone}\n\n나": ("나", [(0, 0), (0, 0)]),
        f"가 {alone} 나 {alone}\n다": ("가 나\n다", [(2, 2), (3, 3)]),
        f"| {alone} | 가 {alone} |\n| --- | --- |": ("|  | 가 |\n| --- | --- |", [(2, 2), (7, 7)]),
        f"가\n\n{shown}\n\n나": ("가\n\n[그림: 탑]\n\n나", [(3, 10)]),
        f"{alone}": ("", [(0, 0)]),
        f"a {START_OF_MARK}.###{END_OF_MARK}b": ("a b", []),
    }
    for marked, (text, places) in texts.items():
        page = taken_out(Page(None, marked), MARKING.noted)
        assert (page.text, [(each.start, each.stop) for each in page.pictures]) == (text, places)


def test_a_mark_that_the_file_itself_holds_is_no_picture_of_another():
    noted = [("a", None, None, None, "탑")]
    for number in ("1", "-1", "１", "x", "", "99999999"):
        page = taken_out(Page(None, f"a{START_OF_MARK}.{number}{END_OF_MARK}b"), noted)
        assert (page.text, page.pictures) == ("ab", ()), number
    assert taken_out(Page(None, f"a{START_OF_MARK}.0{END_OF_MARK}b"), noted).pictures[0].alt == "탑"


def test_a_caption_goes_to_the_picture_that_stands_next_to_it():
    one, two = picture_text(MARKING, "1"), picture_text(MARKING, "2")
    first, second = caption(MARKING, "그림 1"), caption(MARKING, "그림 2")
    for text, captions in (
        (f"{one}\n\n{first}\n\n{two}\n\n{second}", ["그림 1", "그림 2"]),
        (f"{first}\n\n{one}\n\n{second}\n\n{two}", ["그림 1", "그림 2"]),
        (f"{one}\n\n글\n\n{first}\n\n글\n\n{two}", ["", ""]),
        (f"| {one} | {first} | {two} {second} |", ["", "그림 2"]),
    ):
        assert [each.caption for each in taken_out(Page(None, text), MARKING.noted).pictures] == captions
    assert taken_out(Page(None, f"{CAPTION}표 1"), []).text == "표 1"


def test_a_text_takes_the_place_of_a_picture():
    pictures = tuple(Picture(at, at, name=name) for at, name in ((0, "c"), (2, "a"), (2, "a"), (6, "a"), (8, "b")))
    described = with_texts(Page(1, "가나\n\n|  |\n\n다라", pictures=(*pictures, Picture(10, 11, alt="다", name="a"))),
                           {"a": "x|y", "b": "", "c": "z"})  # fmt: skip
    assert described.text == "z\n\n가나\n\nx|y\n\nx|y\n\n| x\\|y |\n\n다라"
    shown = [described.text[each.start : each.stop] for each in described.pictures]
    assert shown == ["z", "x|y", "x|y", "x\\|y", "", "다"]
    assert [each.described for each in described.pictures] == [True] * 4 + [False] * 2


def test_the_other_characters_keep_their_origins():
    runs = [(2, 10), (2, MADE), (3, 30)]
    page = Page(1, "가나\n\n다라마", origins=pack(runs), pictures=(Picture(2, 2, name="a"),))
    described = with_texts(page, {"a": "xyz"})
    assert described.text == "가나\n\nxyz\n\n다라마"
    origins = [
        first + n if first != MADE else MADE for length, first in unpack(described.origins) for n in range(length)
    ]
    assert origins == [10, 11, *[MADE] * 7, 30, 31, 32]


def test_a_page_without_a_picture_stays_as_it_is():
    page = Page(1, "가나", origins=b"\x01")
    assert with_texts(page, {"a": "b"}) is page
    assert taken_out(page, []) is page


def test_of_very_many_pictures_the_first_are_listed(tmp_path):
    parsed = read(tmp_path, "a.md", b"![a](b.png)\n" * (MAX_PICTURES + 1))
    assert len(parsed.pages[0].pictures) == MAX_PICTURES
    assert [each.code for each in parsed.warnings] == ["truncated"]


def test_the_cost_grows_with_the_marks_and_no_faster():
    def cost(unit: str, times: int) -> float:
        # What the collector looks at are the objects of all tests.
        gc.disable()
        started = time.thread_time()
        taken_out(Page(None, unit * times), MARKING.noted)
        spent = time.thread_time() - started
        gc.enable()
        return spent

    for unit in (
        picture_text(MARKING),
        f"{START_OF_MARK}",
        f"{CAPTION}가 ",
        f"{picture_text(MARKING)}\n",
        "| " + CAPTION,
    ):
        assert cost(unit, 20_000) < 10 * cost(unit, 5_000) + 0.1, unit

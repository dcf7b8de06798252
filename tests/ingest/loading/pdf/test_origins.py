"""Each code point of a page's text knows which character of the file it is."""

from __future__ import annotations

import pypdfium2
import pypdfium2.raw as pdfium
import pytest

from app.storage.origins import MADE, pack, unpack
from tests.ingest.loading.pdf.reading import read
from tests.ingest.loading.reading import take
from tests.ingest.made.pages import Sheet

ENGLISH = ["The keel | of the boat", "is tarred twice, and its lan-", "tern is hung at 10"]
KOREAN = ["배의 용골은 두 번", "칠하고 등불은 뱃머리에", "매달아 둔다"]


def sheet(lines: list[str]) -> Sheet:
    page = Sheet().text(104, 700, "Head").text(204, 700, lines[0]).text(104, 680, "Row").text(204, 680, "7 | 8")
    page.grid([100, 200, 400], [675, 695, 715]).text(100, 810, "House rules")
    return page.lines(lines, 100, 600)


def origins(packed: bytes) -> list[int]:
    return [MADE if first == MADE else first + step for length, first in unpack(packed) for step in range(length)]


@pytest.mark.parametrize("lines", [ENGLISH, KOREAN])
def test_what_the_file_holds_is_found_in_it_and_what_is_made_is_not(tmp_path, lines):
    parsed = read(tmp_path, [sheet(lines)] * 3)
    document = pypdfium2.PdfDocument(tmp_path / "a.pdf")
    for page in parsed.pages:
        there = document[page.number - 1]
        text_page = there.get_textpage()
        found = origins(page.origins)
        assert len(found) == len(page.text)
        pairs = list(zip(found, page.text, strict=True))
        in_file = [(chr(pdfium.FPDFText_GetUnicode(text_page, at)), here) for at, here in pairs if at != MADE]
        # PDFium gives line ends and soft hyphens as control characters.
        assert all(character == here or not character.isprintable() for character, here in in_file)
        assert {here for at, here in pairs if at == MADE} <= set("|\\- \n")
        letters = [at for at, here in pairs if here.isalnum()]
        assert MADE not in letters
        assert len(set(letters)) == len(letters)


async def test_origins_come_out_of_the_child(tmp_path):
    parsed = read(tmp_path, [sheet(KOREAN), Sheet(), sheet(ENGLISH)])
    loaded = await take(tmp_path / "a.pdf")
    assert [page.origins for page in loaded.pages] == [page.origins for page in parsed.pages]
    assert [bool(page.origins) for page in loaded.pages] == [True, False, True]


@pytest.mark.parametrize("runs", [[], [(1, 0)], [(300, 5), (2, MADE), (1, 70_000), (130, 2), (1, MADE), (9, 132)]])
def test_packed_runs_come_back(runs):
    assert list(unpack(pack(runs))) == runs

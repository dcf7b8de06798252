"""Marks where a picture without a description stands, until a model has described it (ingest/pictures/describe.py)."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import replace

from app.storage.origins import MADE, Run, pack, runs_within, unpack
from ingest.loading.formats import DOCX, EPUB, HTML, HWP, HWPX, ODP, ODT, PDF, PPTX
from ingest.loading.parsed import Page

WITH_PLACES = (DOCX, PPTX, HWP, HWPX, ODT, ODP, EPUB, PDF, HTML)
# They are no characters, so that no text has them.
BEFORE, AFTER = "\ufdd0", "\ufdd1"
PLACE = re.compile(f"{BEFORE}([^{BEFORE}{AFTER}\n]{{1,300}}){AFTER}")
# What goes with a picture of which nothing is said. Without a bound a run of lines would be read once for each of them.
ALONE = re.compile(f"\n{{0,9}}{PLACE.pattern}")


def place_of(name: str) -> str:
    """Return the mark of the picture that the document's format knows by this name."""
    return f"{BEFORE}{name}{AFTER}"


def name_of_data(data: bytes) -> str:
    """Return the name of a picture that stands in a page as data, in base 64."""
    return hashlib.sha256(b"".join(data.split())).hexdigest()


def names_in(text: str) -> list[str]:
    return PLACE.findall(text)


def with_texts(page: Page, texts: Mapping[str, str]) -> Page:
    """Return the page with texts in place of the marks, or nothing; a row of a table stays one."""
    if not PLACE.search(page.text):
        return page
    text, runs, old, at = "", list[Run](), list(unpack(page.origins)), 0
    for found in ALONE.finditer(page.text):
        said = texts.get(found[1], "")
        start = page.text.index(BEFORE, found.start()) if said else found.start()
        if page.text.startswith("|", page.text.rfind("\n", 0, start) + 1):
            said = said.replace("|", r"\|")
        text += page.text[at:start] + said
        runs += [*runs_within(old, at, start), *([(len(said), MADE)] if said else [])]
        at = found.end()
    runs += runs_within(old, at, len(page.text))
    return replace(page, text=text + page.text[at:], origins=pack(runs) if old else b"")

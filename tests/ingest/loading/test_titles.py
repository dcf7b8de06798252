"""Titles in the properties of files."""

from __future__ import annotations

from dataclasses import replace

import pytest

from ingest.loading.parsed import DEFAULTS
from ingest.loading.parsers.titles import heading, meant
from ingest.loading.picture_marks import picture_text


@pytest.mark.parametrize(
    "title",
    ["(anonymous)", "Untitled", "Document1", "문서 1", "PowerPoint Presentation", "Word Document", "report.docx", ""],
)
def test_a_title_that_a_program_put_there_is_none(title):
    assert meant(title) is None


@pytest.mark.parametrize("title", ["Document of the year", "문서 관리 규정", "Book of seals", "Anonymous letters"])
def test_what_an_author_wrote_is_a_title(title):
    assert meant(title) == title


def test_the_length_of_a_title_is_counted_without_the_marks_of_its_pictures():
    badge = picture_text(replace(DEFAULTS, picture_places=True), alt="build", shown="[build]")
    assert heading(f"# {badge * 40}등대") == "[build]" * 40 + "등대"
    assert heading(f"# {badge * 50}등대") == ("[build]" * 50)[:300]

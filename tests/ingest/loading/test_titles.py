"""Titles in the properties of files."""

from __future__ import annotations

import pytest

from ingest.loading.parsers.titles import meant


@pytest.mark.parametrize(
    "title",
    ["(anonymous)", "Untitled", "Document1", "문서 1", "PowerPoint Presentation", "Word Document", "report.docx", ""],
)
def test_a_title_that_a_program_put_there_is_none(title):
    assert meant(title) is None


@pytest.mark.parametrize("title", ["Document of the year", "문서 관리 규정", "Book of seals", "Anonymous letters"])
def test_what_an_author_wrote_is_a_title(title):
    assert meant(title) == title

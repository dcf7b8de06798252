"""Reads drawn pages with the reader itself, without the child."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from ingest.loading.formats import PDF
from ingest.loading.parsed import Options, Parsed
from ingest.loading.parsers import parse
from tests.ingest.made.pages import Sheet, pdf_of


def read(folder: Path, sheets: Sequence[Sheet], *, options: Options = Options(), **more) -> Parsed:  # noqa: B008
    (folder / "a.pdf").write_bytes(pdf_of(sheets, **more))
    return parse(folder / "a.pdf", PDF, options)


def text_of(folder: Path, *sheets: Sheet, **more) -> str:
    return read(folder, sheets, **more).text


def warned(parsed: Parsed) -> list[tuple[str, int | None]]:
    return [(notice.code, notice.page) for notice in parsed.warnings]

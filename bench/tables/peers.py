"""Prints the documents and reads them with the other readers. Runs in an environment of its own (peers.txt)."""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from bench.tables.grid import from_markdown

Read = tuple[list[list[list[str]]], str]


def print_all(folder: Path) -> None:
    import weasyprint

    for source in sorted(folder.glob("*.html")):
        weasyprint.HTML(str(source)).write_pdf(source.with_suffix(".pdf"))


def by_pdfplumber(path: Path) -> Read:
    return _by_pdfplumber(path, {})


def by_pdfplumber_text(path: Path) -> Read:
    """Take pdfplumber's other strategy, for tables without lines."""
    return _by_pdfplumber(path, {"vertical_strategy": "text", "horizontal_strategy": "text"})


def _by_pdfplumber(path: Path, settings: dict[str, Any]) -> Read:
    import pdfplumber

    with pdfplumber.open(path) as document:
        tables = [table for page in document.pages for table in page.extract_tables(settings)]
        text = "\n\n".join(page.extract_text() for page in document.pages)
    return [[[cell or "" for cell in row] for row in table] for table in tables], text


def by_camelot(path: Path) -> Read:
    import camelot

    found = camelot.read_pdf(str(path), pages="all", flavor="lattice", suppress_stdout=True)
    if not len(found):
        found = camelot.read_pdf(str(path), pages="all", flavor="stream", suppress_stdout=True)
    return [[[str(cell) for cell in row] for row in table.df.values.tolist()] for table in found], ""


def by_xberg(path: Path) -> Read:
    import xberg

    config = xberg.ExtractionConfig(use_cache=False, disable_ocr=True, output_format="markdown")
    source = xberg.ExtractInput(kind="bytes", bytes=path.read_bytes(), mime_type="application/pdf")
    result = asyncio.run(xberg.extract(source, config))
    if not result.results:
        raise ValueError(result.errors)
    return from_markdown(result.results[0].content)


READERS: dict[str, Callable[[Path], Read]] = {
    "pdfplumber": by_pdfplumber,
    "pdfplumber, by text": by_pdfplumber_text,
    "camelot": by_camelot,
    "xberg": by_xberg,
}


def read_all(folder: Path) -> None:
    found: dict[str, dict[str, Any]] = {name: {} for name in READERS}
    for path in sorted(folder.glob("*.pdf")):
        for name, reader in READERS.items():
            start = time.process_time()
            try:
                tables, text = reader(path)
            except Exception as error:  # a reader that fails has read nothing
                sys.stderr.write(f"{name} {path.name}: {error!r}\n")
                tables, text = [], ""
            found[name][path.stem] = {"tables": tables, "text": text, "seconds": time.process_time() - start}
    (folder / "peers.json").write_text(json.dumps(found))


if __name__ == "__main__":
    {"print": print_all, "read": read_all}[sys.argv[1]](Path(sys.argv[2]))

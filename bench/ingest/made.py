"""One text as every format that the standard library writes, for the loaders."""

from __future__ import annotations

import csv
import io
import zipfile
from collections.abc import Sequence
from email.message import EmailMessage
from html import escape
from pathlib import Path

from bench.ingest.corpus import Counted

CHARACTERS = 1_000_000
TITLE = "A report"
CONTAINER = (
    '<container><rootfiles><rootfile full-path="book.opf" media-type="application/oebps-package+xml"/>'
    "</rootfiles></container>"
)
BOOK = f"""
<package xmlns="http://www.idpf.org/2007/opf" version="3.0">
<metadata xmlns:dc="http://purl.org/dc/elements/1.1/"><dc:title>{TITLE}</dc:title></metadata>
<manifest><item id="a" href="a.xhtml" media-type="application/xhtml+xml"/></manifest>
<spine><itemref idref="a"/></spine>
</package>
""".strip()


def make(folder: Path, texts: Sequence[Counted]) -> dict[str, Path]:
    """A million characters if there are as many, equal parts of each source."""
    folder.mkdir(exist_ok=True)
    paragraphs = [paragraph for source in texts for paragraph in _some(source, CHARACTERS // len(texts))]
    text, page = "\n\n".join(paragraphs), "".join(f"<p>{escape(paragraph)}</p>" for paragraph in paragraphs)
    page = f"<html><head><title>{TITLE}</title></head><body>{page}</body></html>"
    rows, mail = io.StringIO(), EmailMessage()
    csv.writer(rows).writerows((n, len(each), each) for n, each in enumerate(paragraphs))
    mail["Subject"], mail["From"] = TITLE, "a@example.org"
    mail.set_content(text)
    contents = {
        "txt": text.encode(), "md": f"# {TITLE}\n\n{text}".encode(), "csv": rows.getvalue().encode(),
        "eml": mail.as_bytes(), "html": page.encode(), "epub": _epub(page),
    }  # fmt: skip
    files = {suffix: folder / f"made.{suffix}" for suffix in contents}
    for suffix, content in contents.items():
        files[suffix].write_bytes(content)
    return files


def _some(source: Counted, characters: int) -> list[str]:
    taken: list[str] = []
    for text, _ in source:
        if characters <= 0:
            break
        taken.append(" ".join(text.split()))
        characters -= len(text)
    return taken


def _epub(page: str) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("mimetype", "application/epub+zip", zipfile.ZIP_STORED)
        parts = {"META-INF/container.xml": CONTAINER, "book.opf": BOOK, "a.xhtml": page}
        for name, part in parts.items():
            archive.writestr(name, part)
    return buffer.getvalue()

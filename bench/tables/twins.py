"""Twins of real documents: their tables, as Kyujang reads them from the office file, printed as a PDF."""

from __future__ import annotations

import re
from collections.abc import Iterator
from html import escape
from pathlib import Path

from bench.tables.grid import from_markdown
from bench.tables.made import Made
from ingest.loading.formats import Text, detect
from ingest.loading.parsed import Options
from ingest.loading.parsers import parse

STYLE = (
    "@page { size: A4; margin: 15mm } body { font: 9pt Noto Sans CJK KR } thead { display: table-row-group }"
    " table { border-collapse: collapse; width: 100%; margin: 4mm 0 } td { border: 0.75pt solid; padding: 1mm }"
)
KINDS = (".hwpx", ".hwp", ".docx")
MAX_TABLES = 40
HANGUL = re.compile("[가-힣]")


def twins(folder: Path) -> Iterator[Made]:
    """Yield one document for each table of at least two rows and columns."""
    for path in sorted(each for each in folder.iterdir() if each.suffix in KINDS):
        found = detect(path, path.name, "")
        if isinstance(found, Text):
            continue
        tables, _ = from_markdown(parse(path, found, Options()).text)
        for number, rows in enumerate([rows for rows in tables if len(rows) > 1 and len(rows[0]) > 1][:MAX_TABLES]):
            text = [[cell.replace("\\|", "|") for cell in row] for row in rows]
            lines = "".join(f"<tr>{''.join(f'<td>{escape(cell)}</td>' for cell in row)}</tr>" for row in text)
            html = f"<meta charset=utf-8><style>{STYLE}</style><table>{lines}</table>"
            words = "\n".join(cell for row in text for cell in row)
            language = "ko" if HANGUL.search(words) else "en"
            yield Made(f"twins-{language}-{path.stem}-{number}", html, [[list(row) for row in text]], words)

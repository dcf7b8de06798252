"""Prints the documents with LibreOffice, from their HTML or from Word documents of the same content."""

from __future__ import annotations

import re
import subprocess
import zipfile
from dataclasses import dataclass, field
from html.parser import HTMLParser
from pathlib import Path
from xml.sax.saxutils import escape

from bench.tables.made import Made

PRINTERS = ("weasyprint", "libreoffice-html", "libreoffice-docx")
# Neither Word's files nor LibreOffice's HTML have floats for tables side by side.
LEFT_OUT = {"beside"}
PAGE_WIDTH, MARGIN = 11906, 1134
LINES = {
    "unruled": (), "wrapped": (), "open": ("top", "bottom", "insideH"),
    "outer": ("top", "left", "bottom", "right", "insideV"),
}  # fmt: skip
# Below each cell, in twentieths of a point.
GAPS = {"wrapped": 170}
# LibreOffice takes no lines of tables from a style sheet.
HTML_LINES = {
    "unruled": "border=0 cellpadding=4", "wrapped": "border=0 cellpadding=8",
    "open": "border=1 cellpadding=4 frame=hsides rules=rows", "outer": "border=1 cellpadding=4 frame=box rules=cols",
}  # fmt: skip
RULED = "border=1 cellpadding=4"
ALL = ("top", "left", "bottom", "right", "insideH", "insideV")
WORD = "http://schemas.openxmlformats.org/wordprocessingml/2006/main"
OFFICE = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
PACKAGE = "http://schemas.openxmlformats.org/package/2006"
MAIN = "application/vnd.openxmlformats-officedocument.wordprocessingml.document.main+xml"
FONT = re.compile(r"font: (\d+)pt ([^;}]+)")


@dataclass(slots=True)
class _Cell:
    text: str = ""
    down: int = 1
    across: int = 1


Table = list[list[_Cell]]


@dataclass
class _Blocks(HTMLParser):
    """Takes apart the HTML that made.py and twins.py write."""

    found: list[tuple[str, str | Table]] = field(default_factory=list)
    into: str = ""

    def __post_init__(self) -> None:
        super().__init__()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        self.into = tag if tag in ("p", "h2", "td", "th", "style") else self.into
        if tag in ("p", "h2"):
            self.found.append((tag, ""))
        elif tag == "table":
            self.found.append((tag, []))
        elif tag == "tr":
            self._table().append([])
        elif tag in ("td", "th"):
            self._table()[-1].append(_Cell("", int(given.get("rowspan") or 1), int(given.get("colspan") or 1)))

    def handle_data(self, data: str) -> None:
        if self.into in ("td", "th"):
            self._table()[-1][-1].text += data
        elif self.into in ("p", "h2"):
            kind, text = self.found[-1]
            self.found[-1] = (kind, f"{text}{data}")

    def handle_endtag(self, tag: str) -> None:
        self.into = "" if tag == self.into else self.into

    def _table(self) -> Table:
        table = self.found[-1][1]
        assert isinstance(table, list)
        return table


def print_with_libreoffice(documents: list[Made], folder: Path, printer: str) -> None:
    """LibreOffice must be installed: `soffice` prints all in one start."""
    suffix = printer.partition("-")[2]
    write = {"docx": _write_docx, "html": _write_html}[suffix]
    for document in documents:
        write(document, folder / f"{document.name}.{suffix}")
    profile = f"-env:UserInstallation={(folder / 'profile').absolute().as_uri()}"
    files = [str(folder / f"{document.name}.{suffix}") for document in documents]
    # As Writer/Web, which LibreOffice opens HTML with, it loses the first lines.
    reader = ["--infilter=HTML (StarWriter)"] if suffix == "html" else []
    command = ["soffice", "--headless", profile, *reader, "--convert-to", "pdf", "--outdir", str(folder), *files]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)


def printable(documents: list[Made], printer: str) -> list[Made]:
    left_out = LEFT_OUT if printer.startswith("libreoffice") else set()
    return [document for document in documents if document.name.split("-")[0] not in left_out]


def _write_html(document: Made, path: Path) -> None:
    layout, size, family, blocks = _taken_apart(document)
    body = ""
    for kind, content in blocks:
        if isinstance(content, str):
            body += f"<{kind}>{escape(content)}</{kind}>"
        else:
            rows = "".join(f"<tr>{''.join(map(_html_cell, row))}</tr>" for row in content)
            body += f"<table width=90% cellspacing=0 {HTML_LINES.get(layout, RULED)}>{rows}</table>"
    if layout == "columns":
        body = f"<multicol cols=2 gutter=30>{body}</multicol>"
    head = f"<head><meta charset=utf-8><style>body, td {{ font: {size}pt {family} }}</style></head>"
    path.write_text(f"<html>{head}<body>{body}</body></html>")


def _html_cell(cell: _Cell) -> str:
    return f"<td rowspan={cell.down} colspan={cell.across}>{escape(cell.text)}</td>"


def _taken_apart(document: Made) -> tuple[str, str, str, list[tuple[str, str | Table]]]:
    """Return (the layout, the size and the family of its letters, the blocks)."""
    blocks = _Blocks()
    blocks.feed(document.html)
    font = FONT.search(document.html)
    size, family = (font[1], font[2].split(",")[0]) if font else ("10", "Noto Sans CJK KR")
    return document.name.split("-")[0], size, family, blocks.found


def _write_docx(document: Made, path: Path) -> None:
    layout, size, family, blocks = _taken_apart(document)
    columns = 2 if layout == "columns" else 1
    width = (PAGE_WIDTH - 2 * MARGIN) // columns - 300 * (columns - 1)
    body = "".join(
        _table(content, LINES.get(layout, ALL), width, GAPS.get(layout, 0))
        if isinstance(content, list)
        else _paragraph(content)
        for _, content in blocks
    )
    page = f'<w:pgSz w:w="{PAGE_WIDTH}" w:h="16838"/><w:pgMar {" ".join(_margins())}/><w:cols w:num="{columns}"/>'
    fonts = f'<w:rFonts w:ascii="{family}" w:hAnsi="{family}" w:eastAsia="Noto Sans CJK KR"/>'
    defaults = f'<w:docDefaults><w:rPrDefault><w:rPr>{fonts}<w:sz w:val="{2 * int(size)}"/></w:rPr></w:rPrDefault>'
    document_type, styles_type = f"{OFFICE}/officeDocument", f"{OFFICE}/styles"
    parts = {
        "[Content_Types].xml": f'<Types xmlns="{PACKAGE}/content-types"><Default Extension="rels" '
        'ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
        f'<Override PartName="/word/document.xml" ContentType="{MAIN}"/>'
        f'<Override PartName="/word/styles.xml" ContentType="{MAIN.replace("document.main", "styles")}"/></Types>',
        "_rels/.rels": _relation(document_type, "word/document.xml"),
        "word/_rels/document.xml.rels": _relation(styles_type, "styles.xml"),
        "word/styles.xml": f'<w:styles xmlns:w="{WORD}">{defaults}</w:docDefaults></w:styles>',
        "word/document.xml": f'<w:document xmlns:w="{WORD}"><w:body>{body}<w:sectPr>{page}</w:sectPr></w:body>'
        "</w:document>",
    }
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in parts.items():
            archive.writestr(name, f'<?xml version="1.0" encoding="UTF-8"?>{text}')


def _margins() -> list[str]:
    return [f'w:{side}="{MARGIN}"' for side in ("top", "right", "bottom", "left")]


def _relation(kind: str, target: str) -> str:
    relation = f'<Relationship Id="rId1" Type="{kind}" Target="{target}"/>'
    return f'<Relationships xmlns="{PACKAGE}/relationships">{relation}</Relationships>'


def _paragraph(text: str, gap: int = 120) -> str:
    spaced = f'<w:pPr><w:spacing w:after="{gap}"/></w:pPr>'
    return f'<w:p>{spaced}<w:r><w:t xml:space="preserve">{escape(text)}</w:t></w:r></w:p>'


def _table(rows: Table, lines: tuple[str, ...], width: int, gap: int) -> str:
    columns = sum(cell.across for cell in rows[0])
    share = width // columns
    borders = "".join(f'<w:{side} w:val="single" w:sz="6" w:color="000000"/>' for side in lines)
    grid = f'<w:gridCol w:w="{share}"/>' * columns
    open_until: dict[int, tuple[int, int]] = {}
    written = []
    for number, row in enumerate(rows):
        cells, given, place = "", iter(row), 0
        while place < columns:
            end, across = open_until.get(place, (0, 1))
            cell = None if number < end else next(given, _Cell())
            if cell is not None:
                across = cell.across
                open_until[place] = (number + cell.down, across)
            merged = "" if cell is not None and cell.down == 1 else "<w:vMerge/>"
            if cell is not None and cell.down > 1:
                merged = '<w:vMerge w:val="restart"/>'
            kind = f'<w:tcW w:w="{share * across}" w:type="dxa"/><w:gridSpan w:val="{across}"/>{merged}'
            text = "" if cell is None else cell.text
            cells += f"<w:tc><w:tcPr>{kind}</w:tcPr>{_paragraph(text, gap)}</w:tc>"
            place += across
        head = "<w:trPr><w:tblHeader/></w:trPr>" if number == 0 and len(rows) > 20 else ""
        written.append(f"<w:tr>{head}{cells}</w:tr>")
    sizes = f'<w:tblW w:w="{width}" w:type="dxa"/><w:tblBorders>{borders}</w:tblBorders>'
    return f"<w:tbl><w:tblPr>{sizes}</w:tblPr><w:tblGrid>{grid}</w:tblGrid>{''.join(written)}</w:tbl>{_paragraph('')}"

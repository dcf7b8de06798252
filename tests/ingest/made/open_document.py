"""OpenDocument spreadsheets and presentations."""

from __future__ import annotations

from xml.sax.saxutils import escape

from tests.ingest.made.content import DECLARATION, Content, halves, zipped

ODF = "application/vnd.oasis.opendocument"
URN = "urn:oasis:names:tc:opendocument:xmlns"
NAMES = " ".join(
    f'xmlns:{prefix}="{URN}:{name}:1.0"'
    for prefix, name in {
        "office": "office", "table": "table", "text": "text", "draw": "drawing", "style": "style", "chart": "chart",
        "presentation": "presentation", "svg": "svg-compatible", "fo": "xsl-fo-compatible",
    }.items()
) + ' xmlns:xlink="http://www.w3.org/1999/xlink"'  # fmt: skip


def document(kind: str, body: str, styles: str = "", **more: str | bytes) -> bytes:
    content = (
        f"{DECLARATION}<office:document-content {NAMES}><office:automatic-styles>{styles}</office:automatic-styles>"
        f"<office:body><office:{kind}>{body}</office:{kind}></office:body></office:document-content>"
    )
    return zipped({"mimetype": f"{ODF}.{kind}", "content.xml": content} | more)


def text(words: str) -> str:
    return f"<text:p>{escape(words)}</text:p>"


def cell(words: str = "", attributes: str = "", inside: str = "") -> str:
    return f"<table:table-cell {attributes}>{text(words) if words else ''}{inside}</table:table-cell>"


def row(*cells: str, attributes: str = "") -> str:
    return f"<table:table-row {attributes}>{''.join(cells)}</table:table-row>"


def sheet(name: str, *rows: str, attributes: str = "") -> str:
    return f'<table:table table:name="{escape(name)}" {attributes}>{"".join(rows)}</table:table>'


def frame(inside: str, at: tuple[float, float, float, float] = (0, 0, 0, 0), attributes: str = "") -> str:
    left, top, width, height = at
    place = f'svg:x="{left}cm" svg:y="{top}cm" svg:width="{width}cm" svg:height="{height}cm"'
    return f"<draw:frame {place} {attributes}>{inside}</draw:frame>"


def box(words: str, at: tuple[float, float, float, float] = (0, 0, 0, 0), attributes: str = "") -> str:
    return frame(f"<draw:text-box>{text(words)}</draw:text-box>", at, attributes)


def slide(*inside: str, attributes: str = "") -> str:
    return f"<draw:page {attributes}>{''.join(inside)}</draw:page>"


def odt(content: Content, **more: bytes) -> bytes:
    rows = [row(*map(cell, each)) for each in content.table]
    heading = f'<text:h text:outline-level="1">{escape(content.title)}</text:h>'
    halved = "".join(f"<text:span>{half}</text:span>" for half in halves(content.sentence))
    return document("text", f"{heading}<text:p>{halved}</text:p>{sheet('1', *rows)}{text(content.second)}", **more)


def ods(content: Content, **more: bytes) -> bytes:
    rows = [row(*map(cell, each)) for each in content.table]
    sheets = sheet(content.title, *rows), sheet("2", row(cell(content.sentence)), row(cell(content.second)))
    return document("spreadsheet", "".join(sheets), **more)


def odp(content: Content, **more: bytes) -> bytes:
    title = box(content.title, (1, 9, 20, 2), 'presentation:class="title"')
    spans = "".join(f"<text:span>{half}</text:span>" for half in halves(content.sentence))
    sentence = frame(f"<draw:text-box><text:p>{spans}</text:p></draw:text-box>", (1, 1, 20, 2))
    table = f"<table:table>{''.join(row(*map(cell, each)) for each in content.table)}</table:table>"
    slides = slide(sentence, title), slide(box(content.second, (1, 9, 20, 2)), frame(table, (1, 1, 20, 2)))
    return document("presentation", "".join(slides), **more)

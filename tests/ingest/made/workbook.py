"""Workbooks with what people put into them: styles, merged and hidden cells, comments, drawings and charts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from xml.sax.saxutils import escape, quoteattr

from tests.ingest.made.content import DECLARATION, zipped
from tests.ingest.made.office import RELATIONS, content_types, relations

MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
DRAWING = "http://schemas.openxmlformats.org/drawingml/2006"
XDR = f"{DRAWING}/spreadsheetDrawing"
LETTERS = "ABCDEFGHIJ"

Cell = str | int | float | None


@dataclass
class Sheet:
    """`rows` hold texts and numbers, or a cell's own XML where it begins with `<`; `after` is XML below the cells."""

    rows: Sequence[Sequence[Cell]]
    name: str = "Sheet"
    before: str = ""
    after: str = ""
    state: str = "visible"
    hidden_rows: Sequence[int] = ()
    beside: dict[str, tuple[str, str]] = field(default_factory=dict)
    """Relations of the sheet: kind and target by key."""


def workbook(*sheets: Sheet, formats: Sequence[str] = (), properties: str = "", **more: str | bytes) -> bytes:
    """A cell's style 1 and up is one of `formats`: `<c s="1"><v>73</v></c>`."""
    listed = "".join(
        f'<sheet name={quoteattr(sheet.name)} sheetId="{n}" state="{sheet.state}" r:id="rId{n}"/>'
        for n, sheet in enumerate(sheets, 1)
    )
    codes = "".join(f'<numFmt numFmtId="{163 + n}" formatCode={quoteattr(code)}/>' for n, code in enumerate(formats, 1))
    styles = "".join(f'<xf numFmtId="{163 + n if n else 0}"/>' for n in range(len(formats) + 1))
    names = f'xmlns="{MAIN}" xmlns:r="{RELATIONS}"'
    parts: dict[str, str | bytes] = {
        "[Content_Types].xml": content_types({"xl/workbook.xml": "spreadsheetml.sheet.main"}),
        "_rels/.rels": relations(rId1=("officeDocument", "xl/workbook.xml")),
        "xl/workbook.xml": f"{DECLARATION}<workbook {names}>{properties}<sheets>{listed}</sheets></workbook>",
        "xl/_rels/workbook.xml.rels": relations(
            styles=("styles", "styles.xml"),
            **{f"rId{n}": ("worksheet", f"worksheets/sheet{n}.xml") for n in range(1, len(sheets) + 1)},
        ),
        "xl/styles.xml": (
            f'<styleSheet xmlns="{MAIN}"><numFmts>{codes}</numFmts><cellXfs>{styles}</cellXfs></styleSheet>'
        ),
    }
    for n, sheet in enumerate(sheets, 1):
        parts[f"xl/worksheets/sheet{n}.xml"] = _worksheet(sheet)
        if sheet.beside:
            parts[f"xl/worksheets/_rels/sheet{n}.xml.rels"] = relations(**sheet.beside)
    return zipped(parts | more)


def merged(*ranges: str) -> str:
    each = "".join(f'<mergeCell ref="{cells}"/>' for cells in ranges)
    return f"<mergeCells>{each}</mergeCells>"


def comments(**texts: str) -> str:
    each = "".join(
        f'<comment ref="{cell}" authorId="0"><text><r><t>{text}</t></r></text></comment>'
        for cell, text in texts.items()
    )
    return f'<comments xmlns="{MAIN}"><authors><author/></authors><commentList>{each}</commentList></comments>'


def drawing(*shapes: tuple[int, str]) -> str:
    """Shapes by the row at which they begin."""
    anchors = "".join(
        f"<xdr:twoCellAnchor><xdr:from><xdr:col>0</xdr:col><xdr:row>{row}</xdr:row></xdr:from>{shape}<xdr:clientData/>"
        "</xdr:twoCellAnchor>"
        for row, shape in shapes
    )
    return (
        f'<xdr:wsDr xmlns:xdr="{XDR}" xmlns:a="{DRAWING}/main" xmlns:r="{RELATIONS}" xmlns:c="{DRAWING}/chart">'
        f"{anchors}</xdr:wsDr>"
    )


def text_box(*lines: str, properties: str = "") -> str:
    body = "".join(f"<a:p><a:r><a:t>{escape(line)}</a:t></a:r></a:p>" for line in lines)
    named = f'<xdr:nvSpPr><xdr:cNvPr id="2" name="x" {properties}/></xdr:nvSpPr>'
    return f"<xdr:sp>{named}<xdr:txBody><a:bodyPr/>{body}</xdr:txBody></xdr:sp>"


def picture(alternative: str = "") -> str:
    return f'<xdr:pic><xdr:nvPicPr><xdr:cNvPr id="3" name="p" descr={quoteattr(alternative)}/></xdr:nvPicPr></xdr:pic>'


CHART_FRAME = (
    '<xdr:graphicFrame><a:graphic><a:graphicData><c:chart r:id="rId1"/></a:graphicData></a:graphic></xdr:graphicFrame>'
)


def chart(title: str, categories: Sequence[str], code: str = "General", **series: Sequence[float]) -> str:
    def points(values: Sequence[str | float]) -> str:
        return "".join(f'<c:pt idx="{at}"><c:v>{value}</c:v></c:pt>' for at, value in enumerate(values))

    each = "".join(
        f"<c:ser><c:tx><c:strRef><c:strCache>{points([name])}</c:strCache></c:strRef></c:tx>"
        f"<c:cat><c:strRef><c:strCache>{points(categories)}</c:strCache></c:strRef></c:cat>"
        f"<c:val><c:numRef><c:numCache><c:formatCode>{escape(code)}</c:formatCode>{points(values)}</c:numCache></c:numRef>"
        "</c:val></c:ser>"
        for name, values in series.items()
    )
    rich = f"<c:title><c:tx><c:rich><a:p><a:r><a:t>{title}</a:t></a:r></a:p></c:rich></c:tx></c:title>"
    names = f'xmlns:c="{DRAWING}/chart" xmlns:a="{DRAWING}/main"'
    area = f"<c:plotArea><c:barChart>{each}</c:barChart></c:plotArea>"
    return f"<c:chartSpace {names}><c:chart>{rich}{area}</c:chart></c:chartSpace>"


def _worksheet(sheet: Sheet) -> str:
    rows = ""
    for r, row in enumerate(sheet.rows, 1):
        hidden = ' hidden="1"' if r in sheet.hidden_rows else ""
        cells = (_cell(f"{LETTERS[c]}{r}", cell) for c, cell in enumerate(row) if cell is not None)
        rows += f'<row r="{r}"{hidden}>{"".join(cells)}</row>'
    names = f'xmlns="{MAIN}" xmlns:r="{RELATIONS}"'
    return f"{DECLARATION}<worksheet {names}>{sheet.before}<sheetData>{rows}</sheetData>{sheet.after}</worksheet>"


def _cell(place: str, cell: str | int | float) -> str:
    if isinstance(cell, str) and cell.startswith("<c"):
        return cell.replace("<c", f'<c r="{place}"', 1)
    if isinstance(cell, str):
        return f'<c r="{place}" t="inlineStr"><is><t>{escape(cell)}</t></is></c>'
    return f'<c r="{place}"><v>{cell}</v></c>'

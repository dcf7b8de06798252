"""Office Open XML and EPUB, as small as their readers allow."""

from __future__ import annotations

from xml.sax.saxutils import escape

from tests.ingest.made.content import DECLARATION, Content, halves, zipped
from tests.ingest.made.plain import html

RELATIONS = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
PACKAGE = "http://schemas.openxmlformats.org/package/2006"


def relations(**targets: tuple[str, str]) -> str:
    each = "".join(
        f'<Relationship Id="{key}" Type="{RELATIONS}/{kind}" Target="{target}"/>'
        for key, (kind, target) in targets.items()
    )
    return f'{DECLARATION}<Relationships xmlns="{PACKAGE}/relationships">{each}</Relationships>'


def content_types(overrides: dict[str, str]) -> str:
    each = "".join(
        f'<Override PartName="/{part}" ContentType="application/vnd.openxmlformats-officedocument.{kind}+xml"/>'
        for part, kind in overrides.items()
    )
    plain = '<Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
    xml = '<Default Extension="xml" ContentType="application/xml"/>'
    return f'{DECLARATION}<Types xmlns="{PACKAGE}/content-types">{plain}{xml}{each}</Types>'


def docx(content: Content, **more: bytes) -> bytes:
    def paragraph(text: str, style: str = "") -> str:
        runs = "".join(f'<w:r><w:t xml:space="preserve">{half}</w:t></w:r>' for half in halves(text))
        return f"<w:p>{style}{runs}</w:p>"

    rows = "".join(
        f"<w:tr>{''.join(f'<w:tc>{paragraph(cell)}</w:tc>' for cell in row)}</w:tr>" for row in content.table
    )
    body = (
        paragraph(content.title, '<w:pPr><w:pStyle w:val="Heading1"/></w:pPr>')
        + paragraph(content.sentence)
        + f"<w:tbl>{rows}</w:tbl>"
        + paragraph(content.second)
    )
    main = "http://schemas.openxmlformats.org/wordprocessingml/2006/main"
    return zipped(
        {
            "[Content_Types].xml": content_types({"word/document.xml": "wordprocessingml.document.main"}),
            "_rels/.rels": relations(rId1=("officeDocument", "word/document.xml")),
            "word/document.xml": f'{DECLARATION}<w:document xmlns:w="{main}"><w:body>{body}</w:body></w:document>',
            **more,
        }
    )


def pptx(content: Content, **more: bytes) -> bytes:
    """Two slides; the second comes first in the package."""
    drawing = "http://schemas.openxmlformats.org/drawingml/2006/main"
    names = f'xmlns:a="{drawing}" xmlns:r="{RELATIONS}" xmlns:p="{drawing.replace("drawingml", "presentationml")}"'

    def paragraph(text: str) -> str:
        return f"<a:p>{''.join(f'<a:r><a:t>{half}</a:t></a:r>' for half in halves(text))}</a:p>"

    def shape(text: str, kind: str = "") -> str:
        place = f'<p:nvPr><p:ph type="{kind}"/></p:nvPr>' if kind else "<p:nvPr/>"
        return (
            f'<p:sp><p:nvSpPr><p:cNvPr id="2" name="x"/><p:cNvSpPr/>{place}</p:nvSpPr><p:spPr/>'
            f"<p:txBody><a:bodyPr/>{paragraph(text)}</p:txBody></p:sp>"
        )

    def slide(*shapes: str, root: str = "sld") -> str:
        frame = '<p:nvGrpSpPr><p:cNvPr id="1" name=""/><p:cNvGrpSpPr/><p:nvPr/></p:nvGrpSpPr><p:grpSpPr/>'
        tree = f"<p:cSld><p:spTree>{frame}{''.join(shapes)}</p:spTree></p:cSld>"
        return f"{DECLARATION}<p:{root} {names}>{tree}</p:{root}>"

    def cells(row: list[str]) -> str:
        return "".join(f"<a:tc><a:txBody><a:bodyPr/>{paragraph(cell)}</a:txBody></a:tc>" for cell in row)

    rows = "".join(f'<a:tr h="370000">{cells(row)}</a:tr>' for row in content.table)
    grid = '<a:gridCol w="1800000"/>' * len(content.table[0])
    table = (
        '<p:graphicFrame><p:nvGraphicFramePr><p:cNvPr id="3" name="t"/><p:cNvGraphicFramePr/><p:nvPr/>'
        f'</p:nvGraphicFramePr><a:graphic><a:graphicData uri="{drawing.replace("/main", "/table")}">'
        f"<a:tbl><a:tblGrid>{grid}</a:tblGrid>{rows}</a:tbl></a:graphicData></a:graphic></p:graphicFrame>"
    )
    listed = '<p:sldIdLst><p:sldId id="256" r:id="rId1"/><p:sldId id="257" r:id="rId2"/></p:sldIdLst>'
    return zipped(
        {
            "[Content_Types].xml": content_types(
                {
                    "ppt/presentation.xml": "presentationml.presentation.main",
                    "ppt/slides/slide1.xml": "presentationml.slide",
                    "ppt/slides/slide2.xml": "presentationml.slide",
                }
            ),
            "_rels/.rels": relations(rId1=("officeDocument", "ppt/presentation.xml")),
            "ppt/presentation.xml": f"{DECLARATION}<p:presentation {names}>{listed}</p:presentation>",
            "ppt/_rels/presentation.xml.rels": relations(
                rId1=("slide", "slides/slide2.xml"), rId2=("slide", "slides/slide1.xml")
            ),
            "ppt/slides/slide1.xml": slide(table, shape(content.second)),
            "ppt/slides/slide2.xml": slide(shape(content.title, "title"), shape(content.sentence)),
            "ppt/slides/_rels/slide2.xml.rels": relations(rId1=("notesSlide", "../notesSlides/notesSlide1.xml")),
            "ppt/notesSlides/notesSlide1.xml": slide(shape(f"({content.second})", "body"), root="notes"),
            **more,
        }
    )


def xlsx(content: Content, **more: bytes) -> bytes:
    """Two sheets, named by the title and `2`."""
    main = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"

    def sheet(rows: list[list[str]]) -> str:
        cells = "".join(
            f'<row r="{r}">'
            + "".join(
                f'<c r="{"ABCDEF"[c]}{r}" t="inlineStr"><is><t>{escape(cell)}</t></is></c>'
                for c, cell in enumerate(row)
            )
            + "</row>"
            for r, row in enumerate(rows, 1)
        )
        return f'{DECLARATION}<worksheet xmlns="{main}"><sheetData>{cells}</sheetData></worksheet>'

    sheets = f'<sheet name="{escape(content.title)}" sheetId="1" r:id="rId1"/><sheet name="2" sheetId="2" r:id="rId2"/>'
    return zipped(
        {
            "[Content_Types].xml": content_types(
                {
                    "xl/workbook.xml": "spreadsheetml.sheet.main",
                    "xl/worksheets/sheet1.xml": "spreadsheetml.worksheet",
                    "xl/worksheets/sheet2.xml": "spreadsheetml.worksheet",
                }
            ),
            "_rels/.rels": relations(rId1=("officeDocument", "xl/workbook.xml")),
            "xl/workbook.xml": (
                f'{DECLARATION}<workbook xmlns="{main}" xmlns:r="{RELATIONS}"><sheets>{sheets}</sheets></workbook>'
            ),
            "xl/_rels/workbook.xml.rels": relations(
                rId1=("worksheet", "worksheets/sheet1.xml"), rId2=("worksheet", "worksheets/sheet2.xml")
            ),
            "xl/worksheets/sheet1.xml": sheet(content.table),
            "xl/worksheets/sheet2.xml": sheet([[content.sentence], [content.second]]),
            **more,
        }
    )


def epub(content: Content, **more: bytes) -> bytes:
    """Two chapters; the second comes first in the package."""
    chapter = f"<html xmlns='http://www.w3.org/1999/xhtml'><body><p>{escape(content.second)} (2)</p></body></html>"
    item = '<item id="{0}" href="{0}.xhtml" media-type="application/xhtml+xml"/>'
    opf = (
        f'{DECLARATION}<package xmlns="http://www.idpf.org/2007/opf" version="3.0" unique-identifier="i">'
        f'<metadata xmlns:dc="http://purl.org/dc/elements/1.1/"><dc:title>{escape(content.title)}</dc:title>'
        f'<dc:identifier id="i">x</dc:identifier><dc:language>ko</dc:language></metadata>'
        f"<manifest>{item.format('b')}{item.format('a')}</manifest>"
        '<spine><itemref idref="a"/><itemref idref="b"/></spine></package>'
    )
    container = (
        f'{DECLARATION}<container version="1.0" xmlns="urn:oasis:names:tc:opendocument:xmlns:container"><rootfiles>'
        '<rootfile full-path="OEBPS/content.opf" media-type="application/oebps-package+xml"/></rootfiles></container>'
    )
    return zipped(
        {
            "mimetype": "application/epub+zip",
            "META-INF/container.xml": container,
            "OEBPS/content.opf": opf,
            "OEBPS/b.xhtml": chapter,
            "OEBPS/a.xhtml": html(content),
            **more,
        }
    )

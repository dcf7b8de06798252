"""Documents with pictures of one colour."""

from __future__ import annotations

import base64
import io
import struct

from PIL import Image

from tests.ingest.made.content import DECLARATION, zipped
from tests.ingest.made.hancom import compound, deflated, record
from tests.ingest.made.hancom_records import counted
from tests.ingest.made.office import relations
from tests.ingest.made.open_document import box as open_box
from tests.ingest.made.open_document import cell as open_cell
from tests.ingest.made.open_document import document, frame, row, sheet, slide, text
from tests.ingest.made.pages import Sheet, pdf_of
from tests.ingest.made.presentation import Slide, box, presentation
from tests.ingest.made.word import p, r, word
from tests.ingest.made.workbook import Sheet as Cells
from tests.ingest.made.workbook import drawing, text_box, workbook

RED, BLUE = "red", "blue"
HANCOM = 'xmlns:hs="s" xmlns:hp="p" xmlns:hc="c"'


def png(colour: str, side: int = 64) -> bytes:
    file = io.BytesIO()
    Image.new("RGB", (side, side), colour).save(file, "PNG")
    return file.getvalue()


def docx(*content: str, pictures: dict[str, bytes] | None = None) -> bytes:
    """Each a paragraph, or the picture of that colour."""
    pictures = {RED: png(RED), BLUE: png(BLUE)} if pictures is None else pictures
    shown = "<w:r><w:drawing><wp:docPr/><a:blip r:embed='{}'/></w:drawing></w:r>"
    body = "".join(p(shown.format(each) if each in pictures else r(each)) for each in content)
    return _word(body, pictures)


def _word(body: str, pictures: dict[str, bytes], **more: str) -> bytes:
    each = "".join(f'<Relationship Id="{name}" Type="image" Target="media/{name}.png"/>' for name in pictures)
    beside = "".join(f'<Relationship Id="{name}" Type="{name}" Target="{name}.xml"/>' for name in more)
    listed = f'{DECLARATION}<Relationships xmlns="r">{each}{beside}</Relationships>'
    parts = {f"word/media/{name}.png": data for name, data in pictures.items()}
    return word(body, **parts, **more, **{"word/_rels/document.xml.rels": listed})


def pptx(before: str, after: str) -> bytes:
    pic = '<p:pic><p:nvPicPr><p:cNvPr id="4" name="p"/></p:nvPicPr><p:blipFill><a:blip r:embed="rId7"/></p:blipFill>'
    place = '<p:spPr><a:xfrm><a:off x="0" y="3600000"/><a:ext cx="3600000" cy="3600000"/></a:xfrm></p:spPr></p:pic>'
    shapes = [box(before, at=(0, 0, 10, 2)), pic + place, box(after, at=(0, 21, 10, 2))]
    slide = Slide(shapes, beside={"rId7": ("image", "../media/image1.png")})
    return presentation(slide, **{"ppt/media/image1.png": png(RED)})


def xlsx(before: str, after: str, about: str = "") -> bytes:
    size = '<xdr:spPr><a:xfrm><a:off x="0" y="0"/><a:ext cx="1270000" cy="635000"/></a:xfrm></xdr:spPr>'
    blip = '<xdr:blipFill><a:blip r:embed="rId1"/></xdr:blipFill>'
    pic = f'<xdr:pic><xdr:nvPicPr><xdr:cNvPr id="3" name="p" {about}/></xdr:nvPicPr>{blip}{size}</xdr:pic>'
    cells = Cells([[before]], "S", after='<drawing r:id="rId1"/>', beside={"rId1": ("drawing", "../drawings/d1.xml")})
    shown = {
        "xl/drawings/d1.xml": drawing((2, pic), (9, text_box(after))),
        "xl/drawings/_rels/d1.xml.rels": relations(rId1=("image", "../media/image1.png")),
        "xl/media/image1.png": png(RED),
    }
    return workbook(cells, **shown)


def ods(before: str, after: str) -> bytes:
    picture = frame('<draw:image xlink:href="Pictures/1.png"/>', (0, 3, 10, 5))
    shapes = f"<table:shapes>{picture}{open_box(after, (0, 9, 10, 2))}</table:shapes>"
    return document("spreadsheet", sheet("S", shapes, row(open_cell(before))), **{"Pictures/1.png": png(RED)})


def hwpx(before: str, after: str, about: str = "") -> bytes:
    pic = f'<hp:pic>{about}<hc:img binaryItemIDRef="image1"/></hp:pic>'
    runs = (f"<hp:t>{before}</hp:t>", pic, f"<hp:t>{after}</hp:t>")
    body = "".join(f"<hp:p><hp:run>{run}</hp:run></hp:p>" for run in runs)
    return zipped(
        {
            "mimetype": "application/hwp+zip",
            "Contents/section0.xml": f"{DECLARATION}<hs:sec {HANCOM}>{body}</hs:sec>",
            "BinData/image1.png": png(RED),
        }
    )


def hwp(before: str, after: str, picture: bytes | None = None) -> bytes:
    item = struct.pack("<HHH", 1, 10, 3) + "png".encode("utf-16-le")
    paragraphs = b"".join(
        record(66, 0, bytes(24)) + record(67, 1, f"{text}\r".encode("utf-16-le")) + more
        for text, more in ((before, b""), ("\x0b" + "\0" * 6 + "\x0b", picture or _hwp_picture()), (after, b""))
    )
    header = b"HWP Document File".ljust(32, b"\0") + struct.pack("<II", 0x05010100, 1)
    return compound(
        {"FileHeader": header, "DocInfo": deflated(record(18, 0, item)), "BodyText/Section0": deflated(paragraphs),
         "BinData/BIN000A.png": deflated(png(RED))}
    )  # fmt: skip


def _hwp_picture(about: bytes = bytes(42), caption: bytes = b"") -> bytes:
    shape = record(76, 2, b"cip$" * 2) + record(85, 3, bytes(71) + struct.pack("<H", 1) + bytes(9))
    return record(71, 1, b" osg" + about) + caption + shape


def odt(before: str, after: str) -> bytes:
    picture = frame('<draw:image xlink:href="Pictures/1.png"/>')
    body = f"{text(before)}<text:p>{picture}</text:p>{text(after)}"
    return document("text", body, **{"Pictures/1.png": png(RED)})


def odp(before: str, after: str) -> bytes:
    picture = frame('<draw:image xlink:href="./Pictures/1.png"/>', (0, 10, 10, 5))
    shapes = slide(open_box(before, (0, 0, 10, 2)), picture, open_box(after, (0, 18, 10, 2)))
    return document("presentation", shapes, **{"Pictures/1.png": png(RED)})


def epub(before: str, after: str) -> bytes:
    chapter = f"<html><body><p>{before}</p><img src='../images/a%20b.png'/><p>{after}</p></body></html>"
    package = (
        '<package><manifest><item id="1" href="text/1.xhtml" media-type="application/xhtml+xml"/></manifest>'
        '<spine><itemref idref="1"/></spine></package>'
    )
    container = '<container><rootfiles><rootfile full-path="OEBPS/a.opf"/></rootfiles></container>'
    return zipped(
        {"mimetype": "application/epub+zip", "META-INF/container.xml": container, "OEBPS/a.opf": package,
         "OEBPS/text/1.xhtml": chapter, "OEBPS/images/a b.png": png(RED)}
    )  # fmt: skip


def html(before: str, after: str) -> bytes:
    data = base64.encodebytes(png(RED)).decode()
    return f"<html><body><p>{before}</p><img src='data:image/png;base64,{data}'><p>{after}</p></body></html>".encode()


def pdf(before: str, after: str) -> bytes:
    """Its picture is grey, and stands after the text of the page."""
    return pdf_of([Sheet().text(50, 700, before).picture(50, 300, 300, 300), Sheet().text(50, 700, after)])


ALT, CAPTION = "바위 위의 등대", "그림 1. 정문 앞"


def with_captions() -> list[tuple[str, bytes, str, tuple[float | None, float | None, str | None], str]]:
    """Return (name, content, alternative text, size, caption) of documents that say of a picture what they can."""
    points, none, red = (100.0, 50.0, "pt"), (None, None, None), {RED: png(RED)}
    shown = (
        f'<w:r><w:drawing><wp:inline><wp:extent cx="1270000" cy="635000"/><wp:docPr descr="{ALT}"/>'
        '<a:blip r:embed="red"/></wp:inline></w:drawing></w:r>'
    )
    numbered = '<w:r><w:t>그림 </w:t></w:r><w:fldSimple w:instr=" SEQ 그림 "><w:r><w:t>1</w:t></w:r></w:fldSimple>'
    old = '<w:r><w:pict><v:shape style="width:100pt;height:50pt"><v:imagedata r:id="red"/></v:shape></w:pict></w:r>'
    named = {"styles": '<w:style w:type="paragraph" w:styleId="a5"><w:name w:val="caption"/></w:style>'}
    styled = p(CAPTION, '<w:pStyle w:val="a5"/>')
    sized = frame(f'<draw:image xlink:href="Pictures/1.png"/><svg:desc>{ALT}</svg:desc>', (0, 0, 3.528, 1.764))
    number = '그림 <text:sequence text:name="Illustration">1</text:sequence>. 정문 앞'
    open_caption = frame(f"<draw:text-box><text:p>{sized}{number}</text:p></draw:text-box>")
    hwpx_about = (
        f'<hp:caption side="BOTTOM"><hp:subList><hp:p><hp:run><hp:t>{CAPTION}</hp:t></hp:run></hp:p></hp:subList>'
        '</hp:caption><hp:sz width="10000" height="5000"/>' + f"<hp:shapeComment>{ALT}</hp:shapeComment>"
    )
    of_hwp = bytes(12) + struct.pack("<II", 10000, 5000) + bytes(20) + counted(ALT)
    listed = record(72, 2, bytes(12)) + record(66, 2, bytes(24)) + record(67, 3, f"{CAPTION}\r".encode("utf-16-le"))
    pixels, shown_at = (320.0, 240.0, "px"), "width=320 height='240px'"
    figure = f"<figure><img src='a.png' alt='{ALT}' {shown_at}><figcaption>{CAPTION}</figcaption></figure>"
    odt_of = document("text", f"<text:p>{open_caption}</text:p>", **{"Pictures/1.png": png(RED)})
    return [
        ("a.docx", _word(p(shown) + styled, red, **named), ALT, points, CAPTION),
        ("b.docx", _word(p(numbered + r(". 정문 앞")) + p(old), red), "", points, CAPTION),
        ("a.odt", odt_of, ALT, points, CAPTION),
        ("a.hwpx", hwpx("앞", "뒤", hwpx_about), ALT, points, CAPTION),
        ("a.hwp", hwp("앞", "뒤", _hwp_picture(of_hwp, listed)), ALT, points, CAPTION),
        ("a.html", f"<p>앞</p>{figure}<p>뒤</p>".encode(), ALT, pixels, CAPTION),
        ("a.xlsx", xlsx("앞", "뒤", f'descr="{ALT}"'), ALT, points, ""),
        ("a.md", f"앞 ![{ALT}](a.png) 뒤".encode(), ALT, none, ""),
        ("b.md", f"앞 `![x](y)`\n\n<img src='a.png' alt='{ALT}' {shown_at}>".encode(), ALT, pixels, ""),
    ]

"""Documents with pictures of one colour."""

from __future__ import annotations

import base64
import io
import struct

from PIL import Image

from tests.ingest.made.content import DECLARATION, zipped
from tests.ingest.made.hancom import compound, deflated, record
from tests.ingest.made.open_document import box as open_box
from tests.ingest.made.open_document import document, frame, slide, text
from tests.ingest.made.pages import Sheet, pdf_of
from tests.ingest.made.presentation import Slide, box, presentation
from tests.ingest.made.word import p, r, word

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
    each = "".join(f'<Relationship Id="{name}" Type="image" Target="media/{name}.png"/>' for name in pictures)
    relations = f'{DECLARATION}<Relationships xmlns="r">{each}</Relationships>'
    parts = {f"word/media/{name}.png": data for name, data in pictures.items()}
    return word(body, **parts, **{"word/_rels/document.xml.rels": relations})


def pptx(before: str, after: str) -> bytes:
    pic = '<p:pic><p:nvPicPr><p:cNvPr id="4" name="p"/></p:nvPicPr><p:blipFill><a:blip r:embed="rId7"/></p:blipFill>'
    place = '<p:spPr><a:xfrm><a:off x="0" y="3600000"/><a:ext cx="3600000" cy="3600000"/></a:xfrm></p:spPr></p:pic>'
    shapes = [box(before, at=(0, 0, 10, 2)), pic + place, box(after, at=(0, 21, 10, 2))]
    slide = Slide(shapes, beside={"rId7": ("image", "../media/image1.png")})
    return presentation(slide, **{"ppt/media/image1.png": png(RED)})


def hwpx(before: str, after: str) -> bytes:
    pic = '<hp:pic><hc:img binaryItemIDRef="image1"/></hp:pic>'
    runs = (f"<hp:t>{before}</hp:t>", pic, f"<hp:t>{after}</hp:t>")
    body = "".join(f"<hp:p><hp:run>{run}</hp:run></hp:p>" for run in runs)
    return zipped(
        {
            "mimetype": "application/hwp+zip",
            "Contents/section0.xml": f"{DECLARATION}<hs:sec {HANCOM}>{body}</hs:sec>",
            "BinData/image1.png": png(RED),
        }
    )


def hwp(before: str, after: str) -> bytes:
    item = struct.pack("<HHH", 1, 10, 3) + "png".encode("utf-16-le")
    paragraphs = b"".join(
        record(66, 0, bytes(24)) + record(67, 1, f"{text}\r".encode("utf-16-le")) + more
        for text, more in ((before, b""), ("\x0b" + "\0" * 6 + "\x0b", _hwp_picture()), (after, b""))
    )
    header = b"HWP Document File".ljust(32, b"\0") + struct.pack("<II", 0x05010100, 1)
    return compound(
        {"FileHeader": header, "DocInfo": deflated(record(18, 0, item)), "BodyText/Section0": deflated(paragraphs),
         "BinData/BIN000A.png": deflated(png(RED))}
    )  # fmt: skip


def _hwp_picture() -> bytes:
    shape = record(76, 2, b"cip$" * 2) + record(85, 3, bytes(71) + struct.pack("<H", 1) + bytes(9))
    return record(71, 1, b" osg" + bytes(42)) + shape


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

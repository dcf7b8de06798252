"""Documents with pictures of one colour."""

from __future__ import annotations

import base64
import io

from PIL import Image

from tests.ingest.made.content import DECLARATION, zipped
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


def html(before: str, after: str) -> bytes:
    data = base64.encodebytes(png(RED)).decode()
    return f"<html><body><p>{before}</p><img src='data:image/png;base64,{data}'><p>{after}</p></body></html>".encode()


def pdf(before: str, after: str) -> bytes:
    """Its picture is grey, and stands after the text of the page."""
    return pdf_of([Sheet().text(50, 700, before).picture(50, 300, 300, 300), Sheet().text(50, 700, after)])

"""PDF pages drawn piece by piece: text at its place, lines, pictures, annotations, form fields and bookmarks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from tests.ingest.made.content import Content

CMAP = (
    "/CIDInit /ProcSet findresource begin 12 dict begin begincmap /CMapName /x def\n"
    "1 begincodespacerange <0000> <ffff> endcodespacerange\n{count} beginbfchar\n{pairs}endbfchar endcmap end end"
)
FONT = "<</Type/Font/Subtype/Type0/BaseFont/X/Encoding/Identity-H/DescendantFonts[4 0 R]{unicode}>>"
DESCENDANT = (
    "<</Type/Font/Subtype/CIDFontType2/BaseFont/X/CIDSystemInfo<</Registry(Adobe)/Ordering(Identity)/Supplement 0>>"
    "/DW 1000{latin}/FontDescriptor<</Type/FontDescriptor/FontName/X/Flags 4/Ascent 800/Descent -200"
    "/FontBBox[0 -200 1000 800]>>>>"
)
PICTURE = (
    "<</Type/XObject/Subtype/Image/Width 1/Height 1/ColorSpace/DeviceGray/BitsPerComponent 8/Length 1>>"
    "stream\n\x80\nendstream"
)
FIRST_PAGE = 7


@dataclass
class Sheet:
    """A page of A4. Coordinates are points from the lower left; Latin is 0.6 as wide as high, Hangul as wide. A text is
    two characters at least: without a font PDFium drops single ones."""

    drawn: list[tuple[str, str]] = field(default_factory=list)
    """What is drawn before, and the text that follows it."""
    annotations: list[str] = field(default_factory=list)
    notes: list[tuple[str, str]] = field(default_factory=list)
    """Where annotations draw texts that they do not say, and the texts."""
    rotation: int = 0
    resources: str = ""

    def text(self, x: float, y: float, text: str, size: float = 12, *, mode: int = 0, matrix: str = "1 0 0 1") -> Sheet:
        self.drawn.append((f"BT /F {size} Tf {mode} Tr {matrix} {x} {y} Tm ", text))
        return self

    def lines(self, texts: Sequence[str], x: float = 50, y: float = 700, leading: float = 16) -> Sheet:
        for number, text in enumerate(texts):
            self.text(x, y - leading * number, text)
        return self

    def draw(self, operators: str) -> Sheet:
        self.drawn.append((operators, ""))
        return self

    def grid(self, xs: Sequence[float], ys: Sequence[float]) -> Sheet:
        for x in xs:
            self.draw(f"{x} {ys[0]} m {x} {ys[-1]} l S")
        for y in ys:
            self.draw(f"{xs[0]} {y} m {xs[-1]} {y} l S")
        return self

    def picture(self, x: float, y: float, width: float, height: float) -> Sheet:
        return self.draw(f"q {width} 0 0 {height} {x} {y} cm /P Do Q")


NOTE = "<</Type/Annot/Subtype/FreeText/Rect[{box}]/AP<</N {number} 0 R>>>>"
DRAWN = (
    "<</Type/XObject/Subtype/Form/BBox[0 0 500 20]/Resources<</Font<</F 3 0 R>>>>/Length {length}>>"
    "stream\n{content}\nendstream"
)


def pdf_of(
    sheets: Sequence[Sheet], *, unicode: bool = True, bookmarks: Sequence[tuple[str, int]] = (), catalog: str = ""
) -> bytes:
    """Return the file, with bookmarks of (title, page) all on one level."""
    characters = sorted({each for sheet in sheets for _, text in (*sheet.drawn, *sheet.notes) for each in text})
    codes = {each: f"{number:04x}" for number, each in enumerate(characters, 1)}
    pairs = "".join(f"<{code}> <{each.encode('utf-16-be').hex()}>\n" for each, code in codes.items())
    cmap = CMAP.format(count=len(characters), pairs=pairs)
    latin = sum(each < "\u0100" for each in characters)
    kids = " ".join(f"{FIRST_PAGE + 2 * number} 0 R" for number in range(len(sheets)))
    outlines = FIRST_PAGE + 2 * len(sheets)
    objects = [
        f"<</Type/Catalog/Pages 2 0 R{f'/Outlines {outlines} 0 R' if bookmarks else ''}{catalog}>>",
        f"<</Type/Pages/Count {len(sheets)}/Kids[{kids}]>>",
        FONT.format(unicode="/ToUnicode 5 0 R" if unicode else ""),
        DESCENDANT.format(latin=f"/W[1 {latin} 600]" if latin else ""),
        f"<</Length {len(cmap)}>>stream\n{cmap}\nendstream",
        PICTURE,
    ]
    notes = [f"BT /F 12 Tf 2 4 Td <{_coded(text, codes)}> Tj ET" for sheet in sheets for _, text in sheet.notes]
    number = outlines + (len(bookmarks) + 1 if bookmarks else 0)
    for sheet in sheets:
        drawn = [NOTE.format(box=box, number=each) for each, (box, _) in enumerate(sheet.notes, number)]
        annotations, number = "".join([*sheet.annotations, *drawn]), number + len(drawn)
        content = "\n".join(start + (f"<{_coded(text, codes)}> Tj ET" if text else "") for start, text in sheet.drawn)
        objects.append(
            f"<</Type/Page/Parent 2 0 R/MediaBox[0 0 595 842]/Rotate {sheet.rotation}"
            f"/Resources<</Font<</F 3 0 R>>/XObject<</P 6 0 R>>{sheet.resources}>>/Annots[{annotations}]"
            f"/Contents {len(objects) + 2} 0 R>>"
        )
        objects.append(f"<</Length {len(content)}>>stream\n{content}\nendstream")
    if bookmarks:
        last = outlines + len(bookmarks)
        objects.append(f"<</Type/Outlines/First {outlines + 1} 0 R/Last {last} 0 R/Count {len(bookmarks)}>>")
    for number, (title, page) in enumerate(bookmarks, outlines + 1):
        following = f"/Next {number + 1} 0 R" if number < outlines + len(bookmarks) else ""
        where = f"/Dest[{FIRST_PAGE + 2 * (page - 1)} 0 R/Fit]"
        objects.append(f"<</Title {written(title)}/Parent {outlines} 0 R{following}{where}>>")
    return _file([*objects, *(DRAWN.format(length=len(content), content=content) for content in notes)])


def _coded(text: str, codes: dict[str, str]) -> str:
    return "".join(codes[each] for each in text)


def rich(content: Content) -> bytes:
    """Return a file that has something of all that a reader of PDF looks at."""
    field = f"<</Type/Annot/Subtype/Widget/T(a)/Rect[110 596 300 612]/FT/Tx/V {written(content.second)}>>"
    note = f"<</Type/Annot/Subtype/FreeText/Rect[50 500 300 514]/Contents {written(content.second)}>>"
    sheets = []
    for number in range(1, 4):
        sheet = Sheet(annotations=[field, note]).text(50, 810, content.title, 9).text(50, 20, f"- {number} -", 9)
        for place, row in enumerate(content.table):
            for x, cell in zip((54, 204), row, strict=False):
                sheet.text(x, 700 - 20 * place, f"{cell} {place}")
        ys = [715 - 20 * place for place in range(len(content.table) + 1)]
        sheet.grid([50, 200, 400], ys).text(50, 400, content.sentence, 9).text(300, 380, content.second, mode=3)
        sheets.append(sheet.text(50, 600, content.title).picture(50, 100, 80, 40))
    bookmarks = [(content.title, page) for page in (1, 2, 3)]
    return pdf_of(sheets, bookmarks=bookmarks, catalog=f"/AcroForm<</Fields[{field}]>>")


def written(text: str) -> str:
    """Return it as a string of PDF."""
    return f"<feff{text.encode('utf-16-be').hex()}>"


def _file(objects: Sequence[str]) -> bytes:
    body, places = b"%PDF-1.7\n", []
    for number, each in enumerate(objects, 1):
        places.append(len(body))
        body += f"{number} 0 obj{each}endobj\n".encode("latin-1")
    table = "".join(f"{place:010} 00000 n \n" for place in places)
    trailer = f"trailer<</Root 1 0 R/Size {len(objects) + 1}>>startxref\n{len(body)}\n%%EOF"
    return body + f"xref\n0 {len(objects) + 1}\n0000000000 65535 f \n{table}{trailer}".encode()

"""Writes the documents of tests as HWPX and as HWPML."""

from __future__ import annotations

from collections.abc import Callable
from xml.sax.saxutils import escape, quoteattr

from tests.ingest.made.content import DECLARATION, zipped
from tests.ingest.made.hancom_documents import (
    Annotated,
    Aside,
    Auto,
    Box,
    Button,
    Composed,
    Deleted,
    Drawn,
    Equation,
    Field,
    Grid,
    Head,
    Item,
    Par,
    Raised,
    Restart,
    Spot,
)

# The shape of raised characters.
RAISED = 1
Tag = Callable[..., str]
# HWPML's names where they are not HWPX's in capitals.
HWPML = {
    "p": "P", "run": "TEXT", "t": "CHAR", "tbl": "TABLE", "tr": "ROW", "tc": "CELL", "subList": "PARALIST",
    "pic": "PICTURE", "secPr": "SECDEF", "paraPr": "PARASHAPE", "text": "EDITTEXT", "charPr": "CHARSHAPE",
    "supscript": "SUPERSCRIPT",
}  # fmt: skip
ATTRIBUTES = {
    "charPrIDRef": "CharShape",
    "paraPrIDRef": "ParaShape",
    "outlineShapeIDRef": "OutlineShape",
    "num": "Number",
    "numType": "NumberType",
    "paraend": "ParaEnd",
}


def hwpx_document(paragraphs: list[Par], head: Head | None = None) -> bytes:
    head = head or Head()
    body, top = Writer(_hwpx, flat=False).body(paragraphs, head), Writer(_hwpx, flat=False).head(head)
    return zipped(
        {
            "mimetype": "application/hwp+zip",
            "Contents/header.xml": f'{DECLARATION}<hh:head xmlns:hh="h" xmlns:hp="p">{top}</hh:head>',
            "Contents/section0.xml": f'{DECLARATION}<hs:sec xmlns:hs="s" xmlns:hp="p">{body}</hs:sec>',
        }
    )


def hml_document(paragraphs: list[Par], head: Head | None = None) -> bytes:
    head = head or Head()
    writer = Writer(_hwpml, flat=True)
    body = f"<BODY><SECTION>{writer.body(paragraphs, head)}</SECTION></BODY>"
    tail = '<TAIL><BINDATASTORAGE><BINDATA Id="1">iVBORw0KGgo</BINDATA></BINDATASTORAGE></TAIL>'
    return f'{DECLARATION}<HWPML Version="2.8"><HEAD>{writer.head(head)}</HEAD>{body}{tail}</HWPML>'.encode()


def _hwpx(name: str, inner: str = "", **attributes: object) -> str:
    shown = "".join(f" {key}={quoteattr(str(value))}" for key, value in attributes.items())
    return f"<hp:{name}{shown}>{inner}</hp:{name}>"


def _hwpml(name: str, inner: str = "", **attributes: object) -> str:
    name = HWPML.get(name) or name.upper()
    shown = "".join(
        f" {ATTRIBUTES.get(key) or key[0].upper() + key[1:]}={quoteattr(str(value))}"
        for key, value in attributes.items()
    )
    return f"<{name}{shown}>{inner}</{name}>"


class Writer:
    """HWPML is flat: it writes as attributes of one element what HWPX writes as elements within it."""

    def __init__(self, tag: Tag, *, flat: bool) -> None:
        self.tag = tag
        self.flat = flat

    def head(self, head: Head) -> str:
        tag = self.tag
        shapes = tag("charPr", id=0) + tag("charPr", tag("supscript"), id=RAISED)
        for i, (kind, reference, level) in head.shapes.items():
            if self.flat:
                shapes += tag("paraPr", id=i, HeadingType=kind.capitalize(), Heading=reference, level=level)
            else:
                shapes += tag("paraPr", tag("heading", type=kind.upper(), idRef=reference, level=level), id=i)
        numberings = "".join(
            tag("numbering", "".join(
                tag("paraHead", escape(pattern), start=start, level=level, numFormat=shown)
                for level, (pattern, shown, start) in enumerate(levels, 1)
            ), id=i, start=0)
            for i, levels in enumerate(head.numberings, 1)
        )  # fmt: skip
        return shapes + numberings + "".join(tag("bullet", id=i, char=char) for i, char in enumerate(head.bullets, 1))

    def body(self, paragraphs: list[Par], head: Head) -> str:
        section = self.tag("secPr", outlineShapeIDRef=head.outline)
        return self.tag("p", self.tag("run", section)) + "".join(map(self.paragraph, paragraphs))

    def paragraph(self, paragraph: Par) -> str:
        runs = (
            self.tag("run", self.item(item), charPrIDRef=RAISED if isinstance(item, Raised) else 0)
            for item in paragraph.items
        )
        return self.tag("p", "".join(runs), paraPrIDRef=paragraph.shape)

    def list(self, paragraphs: list[Par]) -> str:
        return self.tag("subList", "".join(map(self.paragraph, paragraphs)))

    def item(self, item: Item) -> str:
        tag = self.tag
        match item:
            case str():
                return tag("t", escape(item).replace("\n", tag("lineBreak")).replace("\t", tag("tab")))
            case Raised(text):
                return tag("t", escape(text))
            case Deleted(text, with_end):
                end = tag("deleteEnd", Id=7, TcId=3, paraend=int(with_end))
                return tag("t", f"{tag('deleteBegin', Id=7, TcId=3)}{escape(text)}{end}")
            case Aside("memo", paragraphs):
                return tag("fieldBegin", self.list(paragraphs), type="MEMO") + tag("fieldEnd")
            case Aside("drawText", paragraphs):
                return tag("rect", tag("drawText", self.list(paragraphs)))
            case Aside(kind, paragraphs, number):
                return tag(kind, self.list(paragraphs), **({"num" if self.flat else "number": number}))
            case Composed(text, in_circle):
                return tag("compose", circleType="SHAPE_CIRCLE" if in_circle else "CHAR", composeText=text)
            case Annotated(main, above):
                return tag("dutmal", tag("mainText", main) + tag("subText", above))
            case Auto(kind, number, shown):
                return tag("autoNum", tag("autoNumFormat", type=shown), num=number, numType=kind.upper())
            case Restart(kind, number):
                return tag("newNum", num=number, numType=kind.upper())
            case Equation(script):
                return tag("equation", tag("script", escape(script)))
            case Drawn(text):
                return tag("textart", text=text)
            case Button(kind, caption, on):
                return self.button(kind, caption, "CHECKED" if on else "UNCHECKED")
            case Field("edit", text):
                return tag("edit", tag("text", escape(text)))
            case Field(_, text):
                return tag("comboBox", tag("listItem", displayText=text, value="v1"), selectedValue="v1")
            case Spot(kind, description):
                return tag(kind, tag("shapeComment", escape(description)))
            case Grid(cells, caption, above):
                side = tag("caption", self.list(caption), side="TOP" if above else "BOTTOM") if caption else ""
                return tag("tbl", side + tag("tr", "".join(map(self.cell, cells))))
        raise TypeError(item)

    def button(self, kind: str, caption: str, value: str) -> str:
        if self.flat:
            name = {"btn": "button", "checkBtn": "checkButton", "radioBtn": "radioButton"}[kind]
            return self.tag(name, self.tag("buttonSet", caption=caption, value=value))
        return self.tag(kind, caption=caption, value=value)

    def cell(self, cell: Box) -> str:
        place = {"colAddr": cell.column, "rowAddr": cell.row}
        span = {"colSpan": cell.columns, "rowSpan": cell.rows}
        inner = self.list(cell.paragraphs)
        if self.flat:
            return self.tag("tc", inner, header=str(cell.header).lower(), **place, **span)
        inner += self.tag("cellAddr", **place) + self.tag("cellSpan", **span)
        return self.tag("tc", inner, header=int(cell.header))

"""Presentations with what people put onto slides: placed boxes, groups, tables, charts, SmartArt, comments."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from xml.sax.saxutils import escape, quoteattr

from tests.ingest.made.content import DECLARATION, zipped
from tests.ingest.made.office import RELATIONS, content_types, relations

DRAWING = "http://schemas.openxmlformats.org/drawingml/2006"
MAIN = "http://schemas.openxmlformats.org/presentationml/2006/main"
NAMES = (
    f'xmlns:p="{MAIN}" xmlns:a="{DRAWING}/main" xmlns:r="{RELATIONS}" xmlns:c="{DRAWING}/chart" '
    f'xmlns:dgm="{DRAWING}/diagram" xmlns:mc="http://schemas.openxmlformats.org/markup-compatibility/2006"'
)
CM = 360_000

Where = tuple[float, float, float, float]


@dataclass
class Slide:
    shapes: Sequence[str]
    shown: bool = True
    beside: dict[str, tuple[str, str]] = field(default_factory=dict)


def presentation(*slides: Slide, **more: str | bytes) -> bytes:
    keys = [f"rId{n}" for n in range(1, len(slides) + 1)]
    listed = "".join(f'<p:sldId id="{256 + n}" r:id="{key}"/>' for n, key in enumerate(keys))
    parts: dict[str, str | bytes] = {
        "[Content_Types].xml": content_types({"ppt/presentation.xml": "presentationml.presentation.main"}),
        "_rels/.rels": relations(rId1=("officeDocument", "ppt/presentation.xml")),
        "ppt/presentation.xml": (
            f"{DECLARATION}<p:presentation {NAMES}><p:sldIdLst>{listed}</p:sldIdLst></p:presentation>"
        ),
        "ppt/_rels/presentation.xml.rels": relations(
            **{key: ("slide", f"slides/slide{n}.xml") for n, key in enumerate(keys, 1)}
        ),
    }
    for n, slide in enumerate(slides, 1):
        shown = "" if slide.shown else ' show="0"'
        parts[f"ppt/slides/slide{n}.xml"] = tree("sld", *slide.shapes, attributes=shown)
        if slide.beside:
            parts[f"ppt/slides/_rels/slide{n}.xml.rels"] = relations(**slide.beside)
    return zipped(parts | more)


def tree(root: str, *shapes: str, attributes: str = "") -> str:
    content = f"<p:cSld><p:spTree>{''.join(shapes)}</p:spTree></p:cSld>"
    return f"{DECLARATION}<p:{root} {NAMES}{attributes}>{content}</p:{root}>"


def box(*lines: str, at: Where | None = None, kind: str = "", properties: str = "") -> str:
    """A text box; each line is a paragraph, its own XML where it begins with `<`. `at`: left, top, width, height."""
    holder = f"<p:nvPr><p:ph {kind}/></p:nvPr>" if kind else "<p:nvPr/>"
    named = f'<p:nvSpPr><p:cNvPr id="2" name="x" {properties}/><p:cNvSpPr/>{holder}</p:nvSpPr>'
    frame = f"<p:spPr>{_frame('a', at)}</p:spPr>"
    return f"<p:sp>{named}{frame}<p:txBody><a:bodyPr/>{''.join(map(paragraph, lines))}</p:txBody></p:sp>"


def group(*shapes: str, at: Where) -> str:
    named = '<p:nvGrpSpPr><p:cNvPr id="1" name=""/><p:cNvGrpSpPr/><p:nvPr/></p:nvGrpSpPr>'
    return f"<p:grpSp>{named}<p:grpSpPr>{_frame('a', at)}</p:grpSpPr>{''.join(shapes)}</p:grpSp>"


def graphic(content: str, at: Where | None = None) -> str:
    named = '<p:nvGraphicFramePr><p:cNvPr id="3" name="t"/><p:cNvGraphicFramePr/><p:nvPr/></p:nvGraphicFramePr>'
    data = f"<a:graphic><a:graphicData>{content}</a:graphicData></a:graphic>"
    return f"<p:graphicFrame>{named}{_frame('p', at)}{data}</p:graphicFrame>"


def picture(alternative: str = "") -> str:
    named = f'<p:nvPicPr><p:cNvPr id="4" name="p" descr={quoteattr(alternative)}/></p:nvPicPr>'
    return f"<p:pic>{named}<p:spPr/></p:pic>"


def table(*rows: Sequence[tuple[str, str]]) -> str:
    """Cells are (text, attributes)."""
    cells = (
        "".join(f"<a:tc {merge}><a:txBody>{paragraph(text)}</a:txBody></a:tc>" for text, merge in row) for row in rows
    )
    return f"<a:tbl>{''.join(f'<a:tr>{row}</a:tr>' for row in cells)}</a:tbl>"


def paragraph(text: str) -> str:
    return f"<a:p>{text if text.startswith('<') else run(text)}</a:p>"


def run(text: str, properties: str = "") -> str:
    return f"<a:r><a:rPr {properties}/><a:t>{escape(text)}</a:t></a:r>"


def _frame(prefix: str, at: Where | None) -> str:
    if at is None:
        return ""
    left, top, width, height = (round(each * CM) for each in at)
    place = f'<a:off x="{left}" y="{top}"/><a:ext cx="{width}" cy="{height}"/>'
    return f"<{prefix}:xfrm>{place}</{prefix}:xfrm>"

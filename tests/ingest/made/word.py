"""Word documents of any content, and the parts that they refer to."""

from __future__ import annotations

from xml.sax.saxutils import escape

from tests.ingest.made.content import DECLARATION, zipped
from tests.ingest.made.office import PACKAGE, RELATIONS, content_types

MAIN = "http://schemas.openxmlformats.org/wordprocessingml/2006/main"
NAMES = (
    f'xmlns:w="{MAIN}" xmlns:r="{RELATIONS}" xmlns:m="math" xmlns:mc="alternatives" xmlns:v="vml" xmlns:o="office"'
    ' xmlns:wp="drawing" xmlns:wps="shape" xmlns:a="main" xmlns:pic="picture" xmlns:c="chart" xmlns:dgm="diagram"'
)


def part(root: str, content: str) -> str:
    return f"{DECLARATION}<{root} {NAMES}>{content}</{root}>"


def word(body: str, **parts: str | bytes) -> bytes:
    """Make a document. A part's content is given by its name, such as `numbering` or `header1`; with `/` it is the path
    of a part that is complete."""
    files: dict[str, str | bytes] = {
        "[Content_Types].xml": content_types({"word/document.xml": "wordprocessingml.document.main"}),
        "_rels/.rels": _relations({"rId1": ("officeDocument", "word/document.xml")}),
        "word/document.xml": part("w:document", f"<w:body>{body}</w:body>"),
    }
    targets = {}
    for name, content in parts.items():
        kind = name.rstrip("0123456789")
        if "/" in name or isinstance(content, bytes):
            files[name] = content
            continue
        root = {"header": "w:hdr", "footer": "w:ftr", "chart": "c:chartSpace", "diagramData": "dgm:dataModel"}.get(kind)
        files[f"word/{name}.xml"] = part(root or f"w:{kind}", content)
        targets[name] = (kind, f"{name}.xml")
    files.setdefault("word/_rels/document.xml.rels", _relations(targets))
    return zipped(files)


def _relations(targets: dict[str, tuple[str, str]]) -> str:
    each = "".join(
        f'<Relationship Id="{key}" Type="{RELATIONS}/{kind}" Target="{target}"/>'
        for key, (kind, target) in targets.items()
    )
    return f'{DECLARATION}<Relationships xmlns="{PACKAGE}/relationships">{each}</Relationships>'


def t(text: str) -> str:
    return f'<w:t xml:space="preserve">{escape(text)}</w:t>'


def r(text: str, properties: str = "") -> str:
    return f"<w:r>{f'<w:rPr>{properties}</w:rPr>' if properties else ''}{t(text)}</w:r>"


def p(content: str, properties: str = "") -> str:
    """A paragraph of a text, or of runs if it begins with one."""
    runs = content if content.startswith("<") or not content else r(content)
    return f"<w:p>{f'<w:pPr>{properties}</w:pPr>' if properties else ''}{runs}</w:p>"


def style(name: str, content: str = "", kind: str = "paragraph") -> str:
    return f'<w:style w:type="{kind}" w:styleId="{name}"><w:name w:val="{name}"/>{content}</w:style>'


def item(list_id: int, level: int = 0) -> str:
    return f'<w:numPr><w:ilvl w:val="{level}"/><w:numId w:val="{list_id}"/></w:numPr>'


def level(index: int, kind: str, pattern: str, more: str = "", start: int = 1) -> str:
    return (
        f'<w:lvl w:ilvl="{index}"><w:start w:val="{start}"/><w:numFmt w:val="{kind}"/>{more}'
        f'<w:lvlText w:val="{escape(pattern)}"/></w:lvl>'
    )


def lists(*abstracts: str) -> str:
    """Lists 1, 2, … of these levels."""
    made = "".join(
        f'<w:abstractNum w:abstractNumId="{n}">{each}</w:abstractNum>' for n, each in enumerate(abstracts, 1)
    )
    return made + "".join(listed(n, n) for n in range(1, len(abstracts) + 1))


def listed(list_id: int, abstract: int, more: str = "") -> str:
    return f'<w:num w:numId="{list_id}"><w:abstractNumId w:val="{abstract}"/>{more}</w:num>'


def table(*rows: str) -> str:
    return f"<w:tbl>{''.join(rows)}</w:tbl>"


def row(*cells: str, properties: str = "") -> str:
    return f"<w:tr>{f'<w:trPr>{properties}</w:trPr>' if properties else ''}{''.join(cells)}</w:tr>"


def cell(content: str, properties: str = "") -> str:
    inner = content if content.startswith("<w:p") or content.startswith("<w:tbl") else p(content)
    return f"<w:tc>{f'<w:tcPr>{properties}</w:tcPr>' if properties else ''}{inner}</w:tc>"

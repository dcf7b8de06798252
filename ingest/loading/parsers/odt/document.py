"""Reads an OpenDocument text: styles first, then the body, and last the headers and footers of the pages it names."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from zipfile import ZipFile

from ingest.loading.parsed import Notice, Options, Page, Parsed
from ingest.loading.parsers import office_notices
from ingest.loading.parsers.flow import Flow, one_line
from ingest.loading.parsers.marks import marked
from ingest.loading.parsers.odf_package import open_document
from ingest.loading.parsers.odt.elements import TextReader
from ingest.loading.parsers.odt.formulas import WithFormulas
from ingest.loading.parsers.odt.styles import Styles
from ingest.loading.parsers.ooxml import DAMAGED, read_xml
from ingest.loading.parsers.titles import heading, meant
from ingest.loading.parsers.xml_tree import EMPTY, Node, read_tree

CONTENT, STYLES, META = "content.xml", "styles.xml", "meta.xml"


def read(path: Path, options: Options) -> Parsed:
    """Read the title from a heading first: the properties may keep a template's title."""
    with open_document(path) as archive:
        styles, damaged = Styles(), []
        # A page's head is not described: its picture is a mark of the house.
        margins = TextReader(archive, Flow(), styles, replace(options, picture_places=False), margins=True)
        try:
            if STYLES in archive.namelist():
                read_xml(archive, STYLES, margins)
        except DAMAGED:
            damaged.append(office_notices.unreadable(f"The part {STYLES} of the file"))
        meta = _meta(archive)
        flow = Flow()
        body = TextReader(archive, flow, styles, options)
        read_xml(archive, CONTENT, WithFormulas(body))
        body.finish()
        said = meta.child("document-statistic").get("page-count")
        numbered = body.story.breaks > 0 and said == str(body.story.breaks + 1)
        texts = flow.pages() if numbered else [flow.text()]
        headers, footers = (_margin(margins, body, kind) for kind in ("Header", "Footer"))
        texts[0] = "\n\n".join(filter(None, [*headers, texts[0]]))
        texts[-1] = "\n\n".join(filter(None, [texts[-1], *footers]))
        pages = [Page(number if numbered else None, text) for number, text in enumerate(texts, start=1)]
        title = next(filter(None, map(heading, texts)), None) or meant(meta.child("title").text)
        return Parsed(title, pages, damaged + _notices(archive, body, options))


def _meta(archive: ZipFile) -> Node:
    if META not in archive.namelist():
        return EMPTY
    try:
        return read_tree(archive, META).child("meta")
    except DAMAGED:
        return EMPTY


def _margin(margins: TextReader, body: TextReader, kind: str) -> list[str]:
    """Return the texts above or below the pages of the styles that the body uses, each once."""
    used = [page for page in margins.margins if page in body.pages_used | {"Standard"}] or list(margins.margins)[:1]
    blocks = [block for page in used for each, block in margins.margins[page] if each == kind]
    return [marked(kind, text) for text in dict.fromkeys(one_line([block]) for block in blocks) if text]


def _notices(archive: ZipFile, body: TextReader, options: Options) -> list[Notice]:
    found = list(body.frames.shapes.notices())
    if body.story.hides and options.hidden_parts == "skip":
        found.append(office_notices.hidden("hidden text"))
    if any(name.startswith("Basic/") and name.endswith(".xml") and "Module" in name for name in archive.namelist()):
        found.append(office_notices.MACROS)
    return found

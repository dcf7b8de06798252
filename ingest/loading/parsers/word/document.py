"""Reads a Word document: styles and lists first, then notes, the body, and last headers and footers."""

from __future__ import annotations

from pathlib import Path

from ingest.loading.parsed import Options, Page, Parsed
from ingest.loading.parsers.flow import Flow, one_line
from ingest.loading.parsers.marks import PAGE_WORDS, marked
from ingest.loading.parsers.ooxml import XmlReader, holds, open_package, read_xml, relations
from ingest.loading.parsers.titles import heading, meant
from ingest.loading.parsers.word.context import Context
from ingest.loading.parsers.word.elements import PartReader
from ingest.loading.parsers.word.properties import Section
from ingest.loading.parsers.word.settings import Properties, Settings
from ingest.loading.picture_marks import name_of, says_nothing, without_marks

MAIN = "word/document.xml"
RENDERED = b"lastRenderedPageBreak"
NOTES = ("comments", "footnotes", "endnotes")


def read(path: Path, options: Options) -> Parsed:
    """Read the title from a heading first: the properties may keep a template's title."""
    with open_package(path) as archive:
        context = Context(archive, options)
        main = next((part for _, kind, part in relations(archive, "") if kind == "officeDocument"), MAIN)
        parts = {kind: part for _, kind, part in relations(archive, main)}
        settings, properties = Settings(), Properties()
        _read_beside(context, parts.get("settings"), settings)
        _read_beside(context, parts.get("styles"), context.styles)
        _read_beside(context, parts.get("numbering"), context.numbering)
        for part in ("docProps/core.xml", "docProps/app.xml"):
            _read_beside(context, part if part in archive.namelist() else None, properties)
        context.notes.formats |= settings.formats
        for kind in NOTES:
            if kind in parts:
                reader = PartReader(context, parts[kind], Flow())
                _read_beside(context, parts[kind], reader)
        context.is_laid_out = holds(archive, main, RENDERED)
        flow = Flow()
        body = PartReader(context, main, flow)
        read_xml(archive, main, body)
        body.story.finish()
        headers, footers = _margins(context, main, body.story.sections, settings)
        numbered = body.story.breaks > 0 and _agree(properties.pages, body.story.breaks + 1, context)
        texts = flow.pages() if numbered else [flow.text()]
        texts[0] = "\n\n".join(filter(None, [*headers, texts[0]]))
        texts[-1] = "\n\n".join(filter(None, [texts[-1], *footers]))
        pages = [Page(number if numbered else None, text) for number, text in enumerate(texts, start=1)]
        named = next(filter(None, map(heading, texts)), None)
        return Parsed(named or meant(properties.title), pages, context.notices())


def _agree(told: int, found: int, context: Context) -> bool:
    """Tell whether pages can be counted: by an author's breaks alone only if there are as many as the file tells."""
    return told == found or (told == 0 and context.is_laid_out)


def _read_beside(context: Context, part: str | None, reader: XmlReader) -> None:
    """Read a part, if there is one, without which the rest can still be read."""
    if part is not None:
        with context.unless_damaged(part):
            read_xml(context.archive, part, reader)


def _margins(context: Context, main: str, sections: list[Section], settings: Settings) -> tuple[list[str], list[str]]:
    """Read headers and footers, each text once however many sections and pages repeat it."""
    targets = {key: target for key, _, target in relations(context.archive, main)}
    found: dict[str, dict[str, str]] = {"header": {}, "footer": {}}
    read = set()
    for section in sections:
        shown = {"default": True, "first": section.has_first, "even": settings.has_even}
        for kind, place, key in section.references:
            part = targets.get(key, "")
            if shown.get(place) and part and part not in read:
                read.add(part)
                for known_by, text in _margin(context, part, kind.capitalize()):
                    found[kind].setdefault(known_by, text)
    return list(found["header"].values()), list(found["footer"].values())


def _margin(context: Context, part: str, kind: str) -> list[tuple[str, str]]:
    """Return its text, and the pictures in it that wait for a description, each after what it is known by."""
    flow = Flow()
    flow.open_part()
    reader = PartReader(context, part, flow, page_numbers=False)
    _read_beside(context, part, reader)
    reader.story.finish()
    lines = [one_line([block]) for block in flow.close_part()]
    text = "\n".join(line for line in lines if not PAGE_WORDS.fullmatch(without_marks(line)))
    waiting = [line for line in lines if not without_marks(line) and not says_nothing(line)]
    pictures = [(name_of(context.options, line), line) for line in waiting]
    return [*pictures, (without_marks(text), marked(kind, text))] if text else pictures

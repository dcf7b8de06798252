"""Reads HTML as a browser shows it: headings and tables of data as Markdown, all other text as it is written."""

from __future__ import annotations

import re
from collections.abc import Callable
from html import unescape

from ingest.loading.parsed import Notice, Options, Page, Parsed
from ingest.loading.parsers.html_math import with_formulas
from ingest.loading.parsers.html_text import HtmlText
from ingest.loading.parsers.html_tokens import End, Raw, Start, tokens
from ingest.loading.parsers.titles import heading
from ingest.loading.picture_places import name_of_data, place_of

PICTURE = re.compile(r"\s*data:image/[\w.+-]{1,20};base64,([A-Za-z0-9+/=\s]+)", re.IGNORECASE)
HIDDEN = Notice(
    "hidden_part_skipped",
    "The page hides some of its text (hidden, display: none). It was left out; KYUJANG_HIDDEN_PARTS=mark reads it.",
)


def name_of_source(source: str) -> str:
    """Name a picture that stands in the page as data."""
    data = PICTURE.match(source)
    return name_of_data(data[1].encode()) if data else ""


def read(content: str, options: Options) -> Parsed:
    title, text, has_skipped = rendered(content, options)
    return Parsed(title or heading(text), [Page(None, text)], [HIDDEN] if has_skipped else [])


def rendered(
    content: str, options: Options, picture: Callable[[str], str] = name_of_source
) -> tuple[str | None, str, bool]:
    """Return the title in the head, the text, and whether hidden text was left out. `picture` names what an `img`
    shows, by its source."""
    title: str | None = None
    page = HtmlText(marks_hidden=options.hidden_parts == "mark")
    for token in with_formulas(tokens(content)):
        match token:
            case str():
                page.text(token)
            case Start("img") if options.picture_places and (name := picture(token.attribute("src") or "")):
                page.field(place_of(name))
            case Start():
                page.start(token)
            case End(name):
                page.end(name)
            case Raw("title", words):
                title = unescape(words) if title is None else title
            case Raw("textarea" | "xmp", words):
                page.field(unescape(words))
    return title, page.finish(), page.has_skipped

"""Reads HTML as a browser shows it: headings and tables of data as Markdown, all other text as it is written."""

from __future__ import annotations

import re
from collections.abc import Callable
from html import unescape

from ingest.loading.parsed import Notice, Options, Page, Parsed
from ingest.loading.parsers.html_drawings import with_drawings
from ingest.loading.parsers.html_fields import with_fields
from ingest.loading.parsers.html_lists import with_first_numbers
from ingest.loading.parsers.html_math import with_formulas
from ingest.loading.parsers.html_styles import Styles
from ingest.loading.parsers.html_text import HtmlText
from ingest.loading.parsers.html_tokens import End, Raw, Start, tokens
from ingest.loading.parsers.titles import heading
from ingest.loading.picture_marks import CAPTION, Size, name_of_data, picture_text, waits

PICTURE = re.compile(r"\s*data:image/[\w.+-]{1,20};base64,([A-Za-z0-9+/=\s]+)", re.IGNORECASE)
PIXELS = re.compile(r"\s*(\d{1,6})(?:px)?\s*")
STYLED = {name: re.compile(rf"(?:^|;)\s*{name}\s*:\s*(\d{{1,6}})px", re.IGNORECASE) for name in ("width", "height")}
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
    styles, drawing = Styles(content), 0
    page = HtmlText(styles, marks_hidden=options.hidden_parts == "mark")
    for token in with_first_numbers(with_fields(with_formulas(with_drawings(tokens(content))))):
        match token:
            case str():
                page.text(token)
            case Start("img") if options.picture_places:
                name, alt = picture(token.attribute("src") or ""), token.attribute("alt") or ""
                # What a page says of a picture only for those who do not see it is not in its text.
                note = page.field if waits(options, name) else page.note
                note(picture_text(options, name, size_of(token), alt))
            case Start(tag):
                page.start(token)
                drawing += tag == "svg" and not token.is_empty
                if tag == "figcaption" and options.picture_places:
                    page.note(CAPTION)
            case End(name):
                page.end(name)
                drawing -= name == "svg" and drawing > 0
            case Raw("title", words) if not drawing:
                title = unescape(words) if title is None else title
            case Raw("style", words):
                styles.add(words)
            case Raw("textarea" | "xmp", words):
                page.start(Start("pre"))
                page.text(unescape(words))
                page.end("pre")
    return title, page.finish(), page.has_skipped


def size_of(tag: Start) -> Size | None:
    """Return the size at which an `img` says that it is shown."""
    style = tag.attribute("style") or ""
    found = [STYLED[name].search(style) or PIXELS.fullmatch(tag.attribute(name) or "") for name in ("width", "height")]
    width, height = (float(each[1]) if each else 0.0 for each in found)
    return (width, height, "px") if width > 0 and height > 0 else None

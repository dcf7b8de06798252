"""Reads the elements of an OpenDocument text, its styles among them."""

from __future__ import annotations

import re
from collections.abc import Callable
from zipfile import ZipFile

from ingest.loading.parsed import Options
from ingest.loading.parsers.flow import Block, Flow
from ingest.loading.parsers.odf_shapes import ShapeReader
from ingest.loading.parsers.odf_text import Styles as ShapeStyles
from ingest.loading.parsers.odt.frames import Frames
from ingest.loading.parsers.odt.story import Story
from ingest.loading.parsers.odt.styles import Styles, local, whole
from ingest.loading.parsers.ooxml import Attributes

# Deleted text, forms, and the templates of indexes.
SKIPPED = {
    "tracked-changes", "forms", "scripts",
    "table-of-content-source", "alphabetical-index-source", "bibliography-source",
    "illustration-index-source", "table-index-source", "object-index-source", "user-index-source", "number",
}  # fmt: skip
# Of a comment, who wrote it and when. The text has fields of these names.
ABOUT_COMMENTS = {"creator", "date", "creator-initials", "date-string"}
BOXES = {"text-box", "custom-shape", "rect", "ellipse", "circle", "caption", "path", "polygon", "line", "connector"}
PAGE_NUMBERS = {"page-number", "page-count"}
HEADERS = {"header": "Header", "header-left": "Header", "header-first": "Header",
           "footer": "Footer", "footer-left": "Footer", "footer-first": "Footer"}  # fmt: skip
SPACE = re.compile(r"[ \t\r\n]+")
MAX_SPACES = 100


class TextReader:
    """`margins` holds the headers and footers of each kind of page; `pages_used` the kinds that the text names."""

    def __init__(
        self, archive: ZipFile, flow: Flow, styles: Styles, options: Options, *, margins: bool = False
    ) -> None:
        self.story = Story(flow, styles, options)
        shapes = ShapeReader(archive, ShapeStyles(), options)
        self.frames = Frames(self.story, shapes)
        self.margins: dict[str, list[tuple[str, Block]]] = {}
        self.pages_used: set[str] = set()
        self._styles = styles
        self._reads_margins = margins
        self._path: list[str] = []
        self._skipped = 0
        self._in_body = False
        self._page = ""
        self._marks: list[str] = []
        self._hiding: list[bool] = []
        self._raised: list[bool] = []
        self._in_header = 0
        self._repeats: list[int] = []
        self._citation: list[str] | None = None
        self._described: list[str] | None = None
        self._starts: dict[str, Callable[[Attributes], None]] = {
            "p": self._start_paragraph, "h": self._start_paragraph, "span": self._start_span, "s": self._spaces,
            "tab": lambda _: self.story.add("\t"), "line-break": lambda _: self.story.add("\n"),
            "soft-page-break": lambda _: self.story.break_page(), "list": self._start_list,
            "list-item": self._start_item, "note": self._start_note, "note-citation": self._start_citation,
            "annotation": self._start_note, "table": lambda _: self.story.open_table(),
            "table-header-rows": self._start_header, "table-row": self._start_row, "table-cell": self._start_cell,
            "covered-table-cell": self._start_covered,
            "frame": self.frames.start, "image": self.frames.image, "object": self.frames.object,
            "section": self._start_section, "sequence": lambda _: self.story.count(),
            "ruby-text": lambda _: self.story.add("("),
        }  # fmt: skip
        self._ends: dict[str, Callable[[], None]] = {
            "p": self._end_paragraph, "h": self._end_paragraph, "span": self._end_span,
            "list": self.story.close_list, "note": self._end_note, "note-citation": self._end_citation,
            "annotation": self._end_note, "table": self.story.close_table, "table-header-rows": self._end_header,
            "table-row": self._unhide, "table-cell": self._end_cell, "frame": self.frames.end,
            "section": self._unhide, "ruby-text": lambda: self.story.add(")"),
        }  # fmt: skip

    def start(self, name: str, attributes: Attributes) -> None:
        parent = self._path[-1] if self._path else ""
        self._path.append(name)
        if self._skipped:
            self._skipped += 1
        elif name == "hidden-text" and self._in_body:
            self._skipped = 1
            self.story.hides |= local(attributes).get("is-hidden") != "false"
        elif (self._reads_margins and name in PAGE_NUMBERS) or _is_unseen(name, parent, attributes):
            self._skipped = 1
        elif name == "body" or (self._reads_margins and name == "master-styles"):
            self._in_body = True
        elif not self._in_body:
            self._styles.start(name, attributes)
            self._shape_style(name, attributes)
        elif self._reads_margins and (name in HEADERS or name == "master-page"):
            self._start_margin(name, local(attributes))
        elif name in BOXES:
            self.story.interrupt()
        elif name in ("desc", "title") and parent == "frame":
            self._described = []
        elif handler := self._starts.get(name):
            handler(local(attributes))

    def text(self, text: str) -> None:
        if self._skipped or not self._in_body:
            return
        if self._citation is not None:
            self._citation.append(text)
        elif self._described is not None:
            self._described.append(text)
        else:
            self.story.add(SPACE.sub(" ", text), raised=any(self._raised))

    def end(self, name: str) -> None:
        self._path.pop()
        if self._skipped:
            self._skipped -= 1
        elif not self._in_body:
            self._styles.end(name)
        elif self._reads_margins and name in HEADERS:
            self.margins[self._page] += [(HEADERS[name], block) for block in self.story.resume()]
        elif name in BOXES:
            self.story.add_later(self.story.resume())
        elif name in ("desc", "title") and self._described is not None:
            self.frames.describe("".join(self._described))
            self._described = None
        elif handler := self._ends.get(name):
            handler()

    def finish(self) -> None:
        self.story.end_paragraph()
        self.story.write_notes()

    def _shape_style(self, name: str, attributes: Attributes) -> None:
        if name == "style" and (page := local(attributes).get("master-page-name")):
            self.pages_used.add(page)

    def _start_margin(self, name: str, attributes: Attributes) -> None:
        if name == "master-page":
            self._page = attributes.get("name", "")
            self.margins.setdefault(self._page, [])
        else:
            self.story.interrupt()

    def _start_paragraph(self, attributes: Attributes) -> None:
        style = attributes.get("style-name", "")
        level = whole(attributes, "outline-level") if "outline-level" in attributes else 0
        start = whole(attributes, "start-value") if "start-value" in attributes else None
        hidden = bool(self._styles.is_hidden("paragraph", style)) or attributes.get("is-hidden") == "true"
        self.story.state.hidden += hidden
        self._hiding.append(hidden)
        begins_page = self._styles.of("paragraph", style).begins_page
        self.story.start_paragraph(level, begins_page=begins_page, start=start)

    def _end_paragraph(self) -> None:
        self.story.end_paragraph()
        self._unhide()

    def _unhide(self) -> None:
        if self._hiding:
            self.story.state.hidden -= self._hiding.pop()

    def _start_span(self, attributes: Attributes) -> None:
        style = attributes.get("style-name", "")
        hidden = bool(self._styles.is_hidden("text", style))
        self.story.state.hidden += hidden
        self._hiding.append(hidden)
        self._raised.append(self._styles.of("text", style).raised)

    def _end_span(self) -> None:
        self._raised.pop()
        self._unhide()

    def _start_section(self, attributes: Attributes) -> None:
        hidden = attributes.get("display") == "none" or attributes.get("is-hidden") == "true"
        self.story.state.hidden += hidden
        self._hiding.append(hidden)

    def _spaces(self, attributes: Attributes) -> None:
        self.story.add(" " * min(whole(attributes, "c"), MAX_SPACES))

    def _start_list(self, attributes: Attributes) -> None:
        self.story.open_list(
            attributes.get("style-name", ""),
            attributes.get("id", ""),
            attributes.get("continue-list", ""),
            continues=attributes.get("continue-numbering") == "true",
        )

    def _start_item(self, attributes: Attributes) -> None:
        self.story.open_item(whole(attributes, "start-value") if "start-value" in attributes else None)

    def _start_note(self, _: Attributes) -> None:
        self._marks.append("")
        self.story.interrupt()

    def _start_citation(self, _: Attributes) -> None:
        self._citation = []

    def _end_citation(self) -> None:
        if self._marks:
            self._marks[-1] = "".join(self._citation or []).strip()
        self._citation = None

    def _end_note(self) -> None:
        mark = self._marks.pop()
        blocks = self.story.resume()
        self.story.add(f"[{mark}]" if mark else "")
        self.story.note(blocks, mark)

    def _start_header(self, _: Attributes) -> None:
        self._in_header += 1

    def _end_header(self) -> None:
        self._in_header -= 1

    def _start_row(self, attributes: Attributes) -> None:
        hidden = attributes.get("visibility") in ("collapse", "filter")
        self.story.state.hidden += hidden
        self._hiding.append(hidden)
        self.story.open_row(is_header=self._in_header > 0)

    def _start_cell(self, attributes: Attributes) -> None:
        self._repeats.append(whole(attributes, "number-columns-repeated"))
        rows, columns = (whole(attributes, f"number-{each}-spanned") for each in ("rows", "columns"))
        self.story.open_cell(rows, columns)

    def _end_cell(self) -> None:
        self.story.close_cell(self._repeats.pop())

    def _start_covered(self, attributes: Attributes) -> None:
        self.story.grids[-1].column += whole(attributes, "number-columns-repeated")
        self._skipped = 1


def _is_unseen(name: str, parent: str, attributes: Attributes) -> bool:
    if name in SKIPPED or (name in ABOUT_COMMENTS and parent == "annotation"):
        return True
    if name not in ("variable-set", "user-field-get", *HEADERS):
        return False
    return local(attributes).get("display") in ("none", "false")

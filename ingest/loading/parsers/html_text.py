"""Collects the text of HTML's elements. Of the open ones it knows the names alone, so that depth costs nothing."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable

from ingest.loading.parsers.exponents import Run, joined
from ingest.loading.parsers.flow import Flow, one_line
from ingest.loading.parsers.html_elements import (
    CELLS,
    ENDED_BY,
    GROUPS,
    HEADINGS,
    INLINE,
    LISTS,
    QUOTES,
    ROWS,
    UNSEEN,
    VOID,
    is_raised,
)
from ingest.loading.parsers.html_lists import HtmlLists
from ingest.loading.parsers.html_space import HtmlSpace, fenced
from ingest.loading.parsers.html_styles import Styles
from ingest.loading.parsers.html_tables import HtmlTables
from ingest.loading.parsers.html_tokens import Start
from ingest.loading.parsers.marks import marked
from ingest.loading.picture_marks import BEFORE


class HtmlText:
    """Receives tags and text in their order. `has_skipped`: whether hidden text was left out."""

    def __init__(self, styles: Styles, *, marks_hidden: bool) -> None:
        self.has_skipped = False
        self._marks_hidden = marks_hidden
        self._styles = styles
        self._flow = Flow()
        self._tables = HtmlTables(self._flow)
        self._lists = HtmlLists(self._flow)
        self._open: list[str] = []
        self._space = HtmlSpace()
        self._places: defaultdict[str, list[int]] = defaultdict(list)
        self._runs: list[Run] = []
        self._has_text = False
        # Where the element began whose content is not seen, is hidden, or a row of it.
        self._unseen_from = self._hidden_from = self._hidden_row = self._raised_from = -1
        self._skips_hidden = False
        self._nav_from, self._nav_words, self._nav_links = -1, 0, 0

    def text(self, text: str) -> None:
        if self._unseen_from < 0:
            self._add(self._space.squeezed(text))
        elif self._skips_hidden and text.strip():
            self.has_skipped = True

    def field(self, text: str) -> None:
        """Take a text that stands apart."""
        self._end_block()
        self.text(text)
        self._end_block()

    def note(self, mark: str) -> None:
        """Take the mark of a picture or caption, which stands before the text that comes next."""
        if self._unseen_from < 0:
            self._runs.append((mark, False))

    def start(self, tag: Start) -> None:
        name = tag.name
        is_inline = name in INLINE or ":" in name
        if not is_inline:
            self._end_implied(name)
            self._end_block()
        if name in VOID or tag.is_empty:
            if self._unseen_from < 0 and name == "br":
                self._add("\n")
            return
        self._places[name].append(len(self._open))
        self._open.append(name)
        if self._unseen_from < 0:
            self._start_seen(tag)

    def end(self, name: str) -> None:
        place = self._innermost((name,))
        if place < 0 and name == "p":
            self._end_block()
        # Inside a cell an element from outside of the table does not end.
        elif place >= 0 and (name == "table" or place > self._innermost(("table",))):
            self._close_from(place)

    def finish(self) -> str:
        self._close_from(0)
        self._end_block()
        self._lists.give()
        self._flow.paragraph(self._taken())
        return self._flow.text()

    def _innermost(self, names: Iterable[str]) -> int:
        return max((self._places[name][-1] for name in names if self._places[name]), default=-1)

    def _end_implied(self, name: str) -> None:
        ended, within = ENDED_BY.get(name, (frozenset[str](), frozenset[str]()))
        border = self._innermost({*within, "table"})
        open_ = [self._places[each][-1] for each in ("p", *ended) if self._places[each]]
        if found := [place for place in open_ if place > border]:
            self._close_from(min(found))
        # A heading whose end tag is missing must not take in the page.
        if self._has_text and (place := self._innermost(HEADINGS)) > border:
            self._close_from(place)

    def _start_seen(self, tag: Start) -> None:
        name, place = tag.name, len(self._open) - 1
        hidden = self._styles.hide(tag) or (name in CELLS and self._hidden_row >= 0)
        if name in UNSEEN or (hidden and not self._marks_hidden):
            self._unseen_from, self._skips_hidden = place, hidden
            return
        self._space.start(tag, place)
        self._start_structure(tag)
        if name in QUOTES:
            self._add(QUOTES[name][0])
        elif self._raised_from < 0 and is_raised(tag):
            self._raised_from = place
        elif name == "nav" and self._nav_from < 0:
            self._start_nav(place)
        if hidden:
            self._start_hidden(name, place)

    def _start_structure(self, tag: Start) -> None:
        name = tag.name
        if name in HEADINGS:
            self._tables.note_block()
        elif name in LISTS:
            self._lists.open(tag)
        elif name == "li":
            self._lists.item(tag)
        elif name == "table":
            self._lists.set_aside()
            self._tables.open(tag)
        elif name in ROWS | CELLS:
            self._tables.start(tag)

    def _start_nav(self, place: int) -> None:
        self._lists.set_aside()
        self._flow.open_part()
        self._nav_from, self._nav_words, self._nav_links = place, 0, 0

    def _end_nav(self) -> None:
        """Leave out what is mostly links: navigation is of the site and not of the page."""
        self._lists.take_back()
        self._nav_from = -1
        blocks = self._flow.close_part()
        if self._nav_words > 2 * self._nav_links:
            self._flow.add(blocks)

    def _start_hidden(self, name: str, place: int) -> None:
        if name in ROWS:
            self._hidden_row = place
        elif self._hidden_from < 0:
            self._end_block()
            self._lists.give()
            self._hidden_from = place
            self._flow.open_part()

    def _close_from(self, place: int) -> None:
        while len(self._open) > place:
            name, last = self._open[-1], len(self._open) - 1
            if self._unseen_from < 0:
                self._end_seen(name, last)
            elif self._unseen_from == last:
                self._unseen_from, self._skips_hidden = -1, False
            self._open.pop()
            self._places[name].pop()

    def _end_seen(self, name: str, place: int) -> None:
        if name in HEADINGS:
            self._end_heading(HEADINGS[name])
        elif name not in INLINE:
            # A table inside a list item is one of its paragraphs.
            self._end_block()
        if name in QUOTES:
            self._add(QUOTES[name][1])
        if place == self._hidden_from:
            self._end_hidden()
        if place == self._hidden_row:
            self._hidden_row = -1
        if place == self._raised_from:
            self._raised_from = -1
        if place == self._nav_from:
            self._end_nav()
        self._space.end(place)
        self._end_structure(name)

    def _end_structure(self, name: str) -> None:
        if name in CELLS:
            self._lists.give()
            self._tables.close_cell()
        elif name in LISTS:
            self._lists.close()
        elif name in GROUPS:
            self._tables.end_group()
        elif name == "table":
            self._tables.close()
            self._lists.take_back()

    def _end_hidden(self) -> None:
        self._end_block()
        self._lists.give()
        self._hidden_from = -1
        if text := one_line(self._flow.close_part()):
            self._flow.paragraph(marked("Hidden", text))

    def _add(self, text: str) -> None:
        self._has_text = self._has_text or bool(text.strip())
        if self._nav_from >= 0:
            self._nav_words += len(text.strip())
            self._nav_links += len(text.strip()) if self._places["a"] else 0
        self._runs.append((text, self._raised_from >= 0))

    def _end_block(self) -> None:
        if not self._has_text:
            self._runs = [run for run in self._runs if BEFORE in run[0]]
        elif self._innermost(HEADINGS) > self._innermost(("table",)):
            self._runs.append((" ", False))
        elif self._space.is_code:
            self._lists.give()
            self._flow.add([fenced(self._taken())])
        else:
            self._lists.add(self._space.paragraph(self._taken()))

    def _end_heading(self, level: int) -> None:
        self._lists.give()
        if self._has_text:
            self._flow.heading(level, self._taken())

    def _taken(self) -> str:
        text = joined(self._runs)
        self._runs, self._has_text = [], False
        return text

"""Reads notes and comments, and the references to them: each is written once, after the text that refers to it."""

from __future__ import annotations

from functools import partial

from ingest.loading.parsers.flow import one_line
from ingest.loading.parsers.marks import marked
from ingest.loading.parsers.ooxml import Attributes
from ingest.loading.parsers.word.attributes import is_on, value
from ingest.loading.parsers.word.story import Handlers, Story
from ingest.loading.picture_marks import says_nothing

# The lines between text and notes, which Word keeps among the notes.
SEPARATORS = {"separator", "continuationSeparator", "continuationNotice"}


class References:
    def __init__(self, story: Story) -> None:
        self._story = story
        self._notes = story.context.notes
        self._open: tuple[str, str] | None = None
        refer = {f"{kind}Reference": partial(self._refer, kind) for kind in ("footnote", "endnote")}
        read = {kind: partial(self._start, kind) for kind in ("footnote", "endnote", "comment")}
        self.starts: Handlers = refer | read | {"commentReference": self._comment}
        self.ends = dict.fromkeys(("footnote", "endnote", "comment"), self._end)

    def _refer(self, kind: str, attributes: Attributes) -> None:
        if not self._story.visible:
            return
        note = value(attributes, "id")
        text = self._notes.take(kind, note)
        mark = partial(self._mark, text)
        if value(attributes, "customMarkFollows") and is_on({"val": value(attributes, "customMarkFollows")}):
            self._story.awaited = mark
        else:
            self._story.add(mark(self._notes.mark(kind, note)))

    def _mark(self, text: str, mark: str) -> str:
        if text:
            self._story.writer.note(f"[{mark}: {text}]")
        return f"[{mark}]"

    def _comment(self, attributes: Attributes) -> None:
        text = self._notes.take("comment", value(attributes, "id"))
        if text and self._story.visible:
            self._story.writer.note(marked("Comment", text))

    def _start(self, kind: str, attributes: Attributes) -> None:
        if self._open is None:
            real = value(attributes, "type") not in SEPARATORS
            self._open = (kind, value(attributes, "id") if real else "")
            self._story.flow.open_part()

    def _end(self) -> None:
        if self._open is None:
            return
        self._story.finish()
        (kind, note), self._open = self._open, None
        text = one_line(self._story.flow.close_part())
        if note and not says_nothing(text):
            self._notes.texts[kind, note] = text

"""Reads notes and comments, and the references to them: each is written once, after the text that refers to it."""

from __future__ import annotations

from functools import partial

from ingest.loading.parsers.flow import Block, one_line
from ingest.loading.parsers.marks import marked
from ingest.loading.parsers.notes import as_note
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
        mark = partial(self._mark, self._notes.take(kind, note))
        if value(attributes, "customMarkFollows") and is_on({"val": value(attributes, "customMarkFollows")}):
            self._story.awaited = mark
        else:
            self._story.add(mark(self._notes.mark(kind, note)))

    def _mark(self, blocks: list[Block], mark: str) -> str:
        self._story.writer.note(as_note(blocks, lambda text: f"[{mark}: {text}]"))
        return f"[{mark}]"

    def _comment(self, attributes: Attributes) -> None:
        blocks = self._notes.take("comment", value(attributes, "id"))
        if self._story.visible:
            self._story.writer.note(as_note(blocks, partial(marked, "Comment")))

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
        blocks = self._story.flow.close_part()
        if note and not says_nothing(one_line(blocks)):
            self._notes.found[kind, note] = blocks

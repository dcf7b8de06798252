"""Writes paragraphs with the labels of their lists, as headings where they are such, and notes after them."""

from __future__ import annotations

from ingest.loading.parsers.flow import Block, Flow
from ingest.loading.parsers.word.context import Context
from ingest.loading.parsers.word.properties import Paragraph
from ingest.loading.parsers.word.styles import BODY_TEXT, Style
from ingest.loading.picture_marks import caption

NO_LIST = "0"


class ParagraphWriter:
    def __init__(self, context: Context, flow: Flow) -> None:
        self._context = context
        self._flow = flow
        self._notes: list[Block] = []

    def note(self, blocks: list[Block]) -> None:
        """Keep a note until the paragraph or table that refers to it has ended."""
        self._notes += blocks

    def write(self, paragraph: Paragraph, before: Paragraph | None) -> Paragraph | None:
        """Write a paragraph that follows another whose end was deleted. Return it if its own end was, too."""
        if before is not None:
            paragraph.parts[:0] = before.parts
            paragraph.later[:0] = before.later
        if paragraph.joined:
            return paragraph
        text = paragraph.text.strip()
        style = self._context.styles.of(paragraph.style)
        unseen = not text and paragraph.holds_hidden and (paragraph.ends_hidden or paragraph.hidden)
        label = "" if unseen else self._label(paragraph, style)
        outline = style.outline if paragraph.outline is None else paragraph.outline
        if text and outline is not None and outline < BODY_TEXT:
            self._flow.heading(outline + 1, label + text)
        elif text and (paragraph.is_caption or style.name.lower() == "caption"):
            self._flow.paragraph(caption(self._context.options, label + text))
        elif text:
            self._flow.paragraph(label + text)
        self._flow.add(paragraph.later)
        return None

    def begins_page(self, paragraph: Paragraph) -> bool:
        """Tell whether its author begins a page with it, where no program has laid out the pages."""
        said = paragraph.begins_page
        if said is None and paragraph.style is not None:
            said = self._context.styles.of(paragraph.style).begins_page
        return bool(said) and not self._context.is_laid_out and not self._flow.is_empty

    def write_notes(self) -> None:
        self._flow.add(self._notes)
        self._notes.clear()

    def _label(self, paragraph: Paragraph, style: Style) -> str:
        numbering = self._context.numbering
        level = paragraph.list_level
        if paragraph.list_id is None and style.list_id is not None and level is None:
            level = numbering.level_of_style(style.list_id, style.id)
            level = style.list_level if level is None else level
            level = numbering.level_of_style(style.list_id, style.list_style) if level is None else level
        list_id = style.list_id if paragraph.list_id is None else paragraph.list_id
        return "" if list_id in (None, NO_LIST) else numbering.count(list_id or "", level or 0)

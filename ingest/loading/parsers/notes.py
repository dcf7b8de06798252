"""Writes footnotes, endnotes and comments of all formats whose text is in blocks."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import groupby

from ingest.loading.parsers.flow import Block, Table, one_line
from ingest.loading.picture_marks import says_nothing


def as_note(blocks: Sequence[Block], mark: Callable[[str], str]) -> list[Block]:
    """Return a note: its text in one line, as `mark` writes it, and tables below that as they are."""
    found: list[Block] = []
    for is_table, group in groupby(blocks, key=_has_columns):
        if is_table and found:
            found += group
        elif text := one_line(list(group)):
            found.append(text if says_nothing(text) else mark(text))
    return found


def _has_columns(block: Block) -> bool:
    return isinstance(block, Table) and len(block.columns) > 1 and len(block.rows) > 1

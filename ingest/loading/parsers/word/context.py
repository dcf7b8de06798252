"""Holds what the parts of a Word document share while they are read."""

from __future__ import annotations

import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from app.errors import DocumentError
from ingest.loading.parsed import Notice, Options
from ingest.loading.parsers import office_notices
from ingest.loading.parsers.ooxml import DAMAGED
from ingest.loading.parsers.word.list_fields import ListFields
from ingest.loading.parsers.word.notes import Notes
from ingest.loading.parsers.word.numbering import Numbering
from ingest.loading.parsers.word.styles import Styles


@dataclass
class Context:
    """`pictures` counts those without a description, `hides` tells whether something hidden was found."""

    archive: zipfile.ZipFile
    options: Options
    styles: Styles = field(default_factory=Styles)
    numbering: Numbering = field(default_factory=Numbering)
    notes: Notes = field(default_factory=Notes)
    list_fields: ListFields = field(default_factory=ListFields)
    is_laid_out: bool = False
    """Whether the file says where the program that saved it began pages."""
    pictures: int = 0
    objects: int = 0
    hides: bool = False
    damaged: list[str] = field(default_factory=list)

    @contextmanager
    def unless_damaged(self, part: str) -> Iterator[None]:
        """Read on after a part that cannot be read, and tell of it."""
        try:
            yield
        except (*DAMAGED, DocumentError):
            self.damaged.append(part)

    def notices(self) -> list[Notice]:
        found = [office_notices.unreadable(f"The part {part} of the file") for part in self.damaged]
        if self.pictures:
            found.append(office_notices.pictures(self.pictures))
        if self.objects:
            found.append(office_notices.embedded(self.objects))
        if self.hides and self.options.hidden_parts == "skip":
            found.append(office_notices.hidden("hidden text"))
        if any(name.endswith(office_notices.MACROS_PART) for name in self.archive.namelist()):
            found.append(office_notices.MACROS)
        return found

"""What a reader makes of a file: pages of text, and notices of what is not in them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal

from app.storage import pictures
from app.storage.notices import NoticeCode
from app.storage.pictures import Unit

PageSource = Literal["text", "ocr", "unreadable"]
NotedPicture = tuple[str, float | None, float | None, Unit | None, str]
"""The name, size and alternative text of a picture, as in Picture."""


@dataclass(frozen=True, slots=True)
class Options:
    """What an operator chooses about reading. Hidden parts are skipped, or read and marked."""

    hidden_parts: Literal["skip", "mark"] = "skip"
    ocr_follows: bool = False
    """Whether OCR reads the pages that need it: without text a document may still have some."""
    describes_pictures: bool = False
    """Whether a model describes the pictures of which nothing is said: what they hold does not count as missing."""
    picture_places: bool = False
    """Whether pictures leave marks (ingest/loading/picture_marks.py): parsers/__init__.py sets it by the format."""
    noted: list[NotedPicture] = field(default_factory=list, compare=False)
    """What those marks stand for, each by its number in the list."""


DEFAULTS = Options()


@dataclass(frozen=True, slots=True)
class Picture(pictures.Picture):
    """Its place counts in the text of its page. By `name` the format knows it; without one it cannot be taken out."""

    name: str = ""


@dataclass(frozen=True, slots=True)
class Page:
    """`number` is None where the format has no pages; `source` says what its text was read from, and `origins` where
    each code point stands in the file, packed (app/storage/origins.py), if the reader knows. `head` and `foot` are the
    lines at its top and bottom that were left out, as running heads and page numbers are."""

    number: int | None
    text: str
    source: PageSource = "text"
    origins: bytes = b""
    needs_ocr: bool = False
    head: str = ""
    foot: str = ""
    pictures: tuple[Picture, ...] = ()


@dataclass(frozen=True, slots=True)
class Notice:
    """Something that is not in the text: `part` names a sheet, a slide or an attachment, `detail` says what is missing
    and what to do."""

    code: NoticeCode
    detail: str
    page: int | None = None
    part: str | None = None


@dataclass(frozen=True, slots=True)
class Member:
    """A file inside another: an attachment, or a member of an archive, of `size` bytes; `media_type` is declared."""

    path: str
    size: int
    read: Callable[[], bytes]
    media_type: str | None = None


@dataclass(frozen=True, slots=True)
class Room:
    """What may still be taken out: files, bytes of all together and of each."""

    members: int
    total: int
    each: int
    most_members: int
    most_mb: int


@dataclass(slots=True)
class Parsed:
    """A page's text is plain but for headings (`# `) and pipe tables, each on lines of its own."""

    title: str | None
    pages: list[Page]
    warnings: list[Notice] = field(default_factory=list)
    has_members: bool = False
    """Whether the file holds others that become documents of their own."""

    @property
    def text(self) -> str:
        return "\n\n".join(page.text for page in self.pages)


def without_pages(title: str | None, text: str) -> Parsed:
    return Parsed(title, [Page(None, text)])

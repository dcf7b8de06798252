"""Turn a file into text in a sandboxed child process."""

from __future__ import annotations

import asyncio
import json
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import cached_property, partial
from itertools import accumulate, pairwise
from pathlib import Path
from typing import Any

from app.errors import DocumentError
from app.language.sentences import goes_on
from app.sandbox.forked import tried_again
from app.sandbox.limits import Limits
from app.sandbox.profile import Profile
from app.sandbox.subprocesses import ChildProcess, OutputError, OutputTooLarge, open_child
from app.storage.notices import PageCounts
from ingest.loading.clean_text import clean_text, notice_of_cut_marks
from ingest.loading.conversion import converted
from ingest.loading.endings import crashed, explain
from ingest.loading.formats import DOCX, HWP, HWPX, ODT, OLD_OFFICE, PLAIN
from ingest.loading.parsed import DEFAULTS, Notice, Options, Page, PageSource, Picture
from ingest.loading.refusals import refuse_empty_or_too_long, too_long

PAGE_BREAK = "\n\n"
# Between two pages over which a sentence goes on: it is one, and can be quoted whole.
LINE_BREAK = "\n"
# Formats whose pages are slides and sheets.
SLIDES_OR_SHEETS = re.compile("presentation|spreadsheet|ms-powerpoint|ms-excel")
# Formats whose pages end between paragraphs.
WHOLE_PARAGRAPHS = (DOCX, HWP, HWPX, ODT)
MAX_HEAD_BYTES = 16 << 20
MAX_BYTES_PER_CHARACTER = 4


@dataclass(frozen=True)
class Loaded:
    media_type: str
    title: str | None
    pages: list[Page] = field(default_factory=list)
    warnings: list[Notice] = field(default_factory=list)
    has_members: bool = False

    @property
    def flows(self) -> bool:
        """Whether one page goes on where the one before ends."""
        return SLIDES_OR_SHEETS.search(self.media_type) is None

    @cached_property
    def text(self) -> str:
        texts = [page.text for page in self.pages]
        return "".join(part for both in zip(texts, [*self._breaks, ""], strict=True) for part in both)

    @property
    def page_counts(self) -> PageCounts | None:
        """None where the format has no pages."""
        found = Counter(page.source for page in self.pages if page.number is not None)
        return PageCounts(text=found["text"], ocr=found["ocr"], unreadable=found["unreadable"]) if found else None

    def page_starts(self) -> list[int]:
        """Return where each page begins in `text`, in code points."""
        pages = zip(self.pages, self._breaks, strict=False)
        return list(accumulate((len(page.text) + len(end) for page, end in pages), initial=0))

    def pictures(self) -> list[Picture]:
        """Return the pictures with their places in `text`."""
        return [
            replace(each, start=start + each.start, stop=start + each.stop, page=page.number)
            for page, start in zip(self.pages, self.page_starts(), strict=False)
            for each in page.pictures
        ]

    @cached_property
    def _breaks(self) -> list[str]:
        """What stands between the pages."""
        cut = self.flows and self.media_type not in WHOLE_PARAGRAPHS
        return [
            LINE_BREAK if cut and None not in (one.number, two.number) and goes_on(one.text, two.text)
            else PAGE_BREAK
            for one, two in pairwise(self.pages)
        ]  # fmt: skip


async def load(
    path: Path,
    *,
    filename: str | None,
    media_type: str | None,
    memory_mb: int,
    timeout_s: float,
    max_chars: int,
    options: Options = DEFAULTS,
) -> Loaded:
    """Read a document's text. Raises DocumentError, whose detail is for the caller to read."""
    if media_type == PLAIN and (text := await asyncio.to_thread(_sent_as_text, path, max_chars)):
        return text
    arguments = (filename or "", media_type or "", str(max_chars), json.dumps(asdict(options)))
    limits = Limits(address_space=memory_mb << 20, cpu_s=int(timeout_s) + 1, file_size=0)
    read = partial(_in_child, path, arguments, limits, timeout_s, max_chars)
    try:
        loaded = await tried_again(read)
        if loaded.media_type not in OLD_OFFICE:
            return loaded
        again = partial(load, memory_mb=memory_mb, timeout_s=timeout_s, max_chars=max_chars, options=options)
        async with converted(path, loaded.media_type, memory_mb=memory_mb, timeout_s=timeout_s) as file:
            today = await again(file, filename=None, media_type=None)
        return replace(today, media_type=loaded.media_type, warnings=loaded.warnings + today.warnings)
    except TimeoutError:
        raise DocumentError(
            "timeout", f"Reading the document took more than {timeout_s:g} s (KYUJANG_LOAD_TIMEOUT_S). Split it."
        ) from None
    except OutputTooLarge:
        raise too_long(None, max_chars) from None
    except OutputError:
        raise crashed() from None


def _sent_as_text(path: Path, max_chars: int) -> Loaded | None:
    """Take a string of JSON as text, whatever it looks like: that needs no child.

    None if it is not UTF-8: before 0.2 it was not recorded which plain texts came as files.
    """
    try:
        sent = path.read_bytes().decode()
    except UnicodeDecodeError:
        return None
    text = clean_text(sent)
    refuse_empty_or_too_long([text], PLAIN, max_chars)
    return Loaded(PLAIN, None, [Page(None, text)], notice_of_cut_marks([sent]))


async def _in_child(path: Path, arguments: Sequence[str], limits: Limits, timeout_s: float, max_chars: int) -> Loaded:
    assert limits.address_space is not None
    async with open_child(
        "ingest.loading.child",
        *arguments,
        limits=limits,
        profile=Profile(read={"document": path}),
        timeout_s=timeout_s,
        max_message_bytes=MAX_HEAD_BYTES,
        forked=True,
    ) as child:
        return await _read(child, limits.address_space >> 20, max_chars)


async def _read(child: ChildProcess, memory_mb: int, max_chars: int) -> Loaded:
    head = await child.message()
    payload = await child.payload(MAX_BYTES_PER_CHARACTER * max_chars)
    if head is not None and "error" in head:
        raise DocumentError(head["error"]["code"], head["error"]["detail"])
    if head is None or await child.wait() != 0:
        raise await explain(child, memory_mb)
    if (pages := _pages(head["pages"], payload)) is None:
        raise await explain(child, memory_mb)
    warnings = [Notice(**notice) for notice in head["warnings"]]
    return Loaded(head["media_type"], head["title"], pages, warnings, head["has_members"])


def _pages(
    described: list[tuple[int | None, PageSource, bool, str, str, list[Any], int, int]], payload: bytes | bytearray
) -> list[Page] | None:
    """None if the payload is not as long as described."""
    text_end = len(payload) - sum(origins for *_, origins in described)
    text = str(payload[: max(text_end, 0)], "utf-8", errors="replace")
    if len(text) != sum(length for *_, length, _ in described):
        return None
    pages: list[Page] = []
    start, origin = 0, text_end
    for number, source, needs_ocr, head, foot, pictures, length, origins in described:
        packed = bytes(payload[origin : origin + origins])
        shown = tuple(Picture(*each) for each in pictures)
        pages.append(Page(number, text[start : start + length], source, packed, needs_ocr, head, foot, shown))
        start, origin = start + length, origin + origins
    return pages

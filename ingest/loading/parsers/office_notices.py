"""Words the notices of workbooks and presentations."""

from __future__ import annotations

from ingest.loading.parsed import Notice

SHOW = "Unhide it and send the file again, or set KYUJANG_HIDDEN_PARTS=mark."
MACROS_PART = "vbaProject.bin"
MACROS = Notice("macro_skipped", "Macros were not read: they are programs. Write what they do as text.")


def hidden(what: str, *, part: str | None = None, page: int | None = None) -> Notice:
    return Notice("hidden_part_skipped", f"This was left out: {what}. {SHOW}", page, part)


def pictures(count: int, *, part: str | None = None, page: int | None = None) -> Notice:
    what = f"What {counted(count, 'picture')} may say was not read. Write it as text, or as alternative text."
    return Notice("picture_without_text", what, page, part)


def embedded(count: int, *, part: str | None = None, page: int | None = None) -> Notice:
    what = f"The content of {counted(count, 'embedded object')} was not read. Save it as a file of its own."
    return Notice("embedded_object_skipped", what, page, part)


def unreadable(what: str, *, part: str | None = None, page: int | None = None) -> Notice:
    return Notice("embedded_object_skipped", f"{what} could not be read: the file is damaged there.", page, part)


def counted(count: int, what: str) -> str:
    return f"{count:,} {what}{'' if count == 1 else 's'}"

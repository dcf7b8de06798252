"""Words the notices of workbooks and presentations."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from ingest.loading.parsed import Notice

MAX_LISTED = 5
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


@dataclass(slots=True)
class Missing:
    """What of a sheet's cells is not shown."""

    hidden_rows: set[int] = field(default_factory=set)
    hidden_columns: set[int] = field(default_factory=set)
    hidden_values: int = 0
    pictures: int = 0
    formulas: list[str] = field(default_factory=list)


def missing(found: Missing, name: str) -> Iterator[Notice]:
    skipped = [
        counted(count, f"hidden {what}")
        for what, count in (
            ("row", len(found.hidden_rows)),
            ("column", len(found.hidden_columns)),
            ("value", found.hidden_values),
        )
        if count
    ]
    if skipped:
        yield hidden(" and ".join(skipped), part=name)
    if found.pictures:
        yield pictures(found.pictures, part=name)
    if cells := found.formulas:
        more = ", …" if len(cells) > MAX_LISTED else ""
        detail = (
            f"The file holds no value of {counted(len(cells), 'formula')} ({', '.join(cells[:MAX_LISTED])}"
            f"{more}). Open it in a spreadsheet program, save it there and send it again."
        )
        yield Notice("formula_without_value", detail, part=name)

"""Keeps a document's notices few and short, whatever its file holds."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, replace
from itertools import groupby
from typing import Any

from ingest.loading.clean_text import clean_text
from ingest.loading.parsed import Notice

MAX_DETAIL, MAX_PART = 300, 100
# Of one code; fewer if all together are larger than MAX_BYTES.
MOST = (10, 3, 1)
MAX_BYTES = 4096
MAX_RANGES = 20


def bounded(notices: Sequence[Notice]) -> list[Notice]:
    """Return the first notices of each code, each once, and one that counts the others of its code."""
    distinct = list(dict.fromkeys(notices))
    for most in MOST:
        kept = [_short(each) for each in _first(distinct, most)]
        if len(json.dumps([as_row(each) for each in kept], ensure_ascii=False).encode()) <= MAX_BYTES:
            break
    return kept


def as_row(notice: Notice) -> dict[str, Any]:
    return {name: value for name, value in asdict(notice).items() if value is not None}


def _first(notices: Sequence[Notice], most: int) -> list[Notice]:
    """Keep `most` of each code, in the order in which the codes first appear."""
    order = {code: at for at, code in enumerate(dict.fromkeys(notice.code for notice in notices))}
    kept: list[Notice] = []
    for code, group in groupby(sorted(notices, key=lambda each: order[each.code]), key=lambda each: each.code):
        same = list(group)
        if len(same) > most + 1:
            kept += [*same[:most], Notice(code, f"{len(same) - most:,} more of this kind{_on_pages(same[most:])}.")]
        else:
            kept += same
    return kept


def _on_pages(notices: Sequence[Notice]) -> str:
    pages = sorted({notice.page for notice in notices if notice.page is not None})
    ranges: list[list[int]] = []
    for page in pages:
        if ranges and page == ranges[-1][1] + 1:
            ranges[-1][1] = page
        else:
            ranges.append([page, page])
    if not ranges:
        return ""
    shown = ", ".join(f"{first}-{last}" if last > first else f"{first}" for first, last in ranges[:MAX_RANGES])
    return f", on pages {shown}{' and others' if len(ranges) > MAX_RANGES else ''}"


def _short(notice: Notice) -> Notice:
    part = None if notice.part is None else _line(notice.part, MAX_PART)
    return replace(notice, detail=_line(notice.detail, MAX_DETAIL), part=part)


def _line(text: str, most: int) -> str:
    line = " ".join(clean_text(text[: 2 * most]).split())
    return line if len(line) <= most else f"{line[: most - 1]}…"

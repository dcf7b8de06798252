"""Gives a ruled table that goes on on the next page its header there, too."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from app.storage.origins import MADE, runs_within
from ingest.loading.parsers.pdf.layout import Region
from ingest.loading.parsers.pdf.pieces import Written, concatenated
from ingest.loading.parsers.pdf.tables import Table

SAME_EDGE = 3.0


@dataclass(frozen=True, slots=True)
class Outer:
    """The first and the last of what stands on a page, where that is a ruled table."""

    first: Table | None
    last: Table | None


def outer_tables(regions: Sequence[Region]) -> Outer:
    ends = [region if isinstance(region, Table) and region.edges else None for region in (*regions[:1], *regions[-1:])]
    return Outer(ends[0], ends[-1]) if ends else Outer(None, None)


class Continuations:
    """Takes the pages in turn."""

    def __init__(self) -> None:
        self._open: tuple[tuple[float, ...], str] | None = None
        """The edges and the header of the table in which the page before ended."""

    def with_header(self, body: Written, outer: Outer) -> Written:
        header = _last_header(body.text)
        if outer.first and self._open and _alike(outer.first.edges, self._open[0]):
            before = self._open[1]
            row, _, rest = body.text.partition("\n")
            rule = rest.partition("\n")[0]
            if row != before and rule.count("|") == before.count("|") - before.count("\\|"):
                after = len(row) + len(rule) + 1
                made = f"{before}\n{rule}\n"
                body = concatenated([
                    Written(made, ((len(made), MADE),)), _cut(body, 0, len(row)), _cut(body, after, len(body.text))
                ])  # fmt: skip
            header = before if outer.first is outer.last else header
        self._open = (outer.last.edges, header) if outer.last and header.startswith("|") else None
        return body


def _alike(edges: Sequence[float], others: Sequence[float]) -> bool:
    return len(edges) == len(others) and all(abs(a - b) <= SAME_EDGE for a, b in zip(edges, others, strict=True))


def _last_header(text: str) -> str:
    """Return the first row of the table that ends the text."""
    return text[text.rfind("\n\n") + 2 if "\n\n" in text else 0 :].partition("\n")[0]


def _cut(whole: Written, start: int, stop: int) -> Written:
    return Written(whole.text[start:stop], tuple(runs_within(whole.runs, start, stop)))

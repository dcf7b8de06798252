"""Tables as grids of cells, and how well one that was read agrees with its source."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher


@dataclass(frozen=True, slots=True)
class Covered:
    """A place that a merged cell covers. Readers leave it blank or repeat the cell's text; both are right."""

    text: str


Cell = str | Covered
Grid = Sequence[Sequence[Cell]]

WORD = re.compile(r"\w+")
RULE = re.compile(r"\|(?: ?:?-{3,}:? ?\|)+")


@dataclass(frozen=True, slots=True)
class Counts:
    right: float = 0
    given: float = 0
    wanted: float = 0

    def __add__(self, other: Counts) -> Counts:
        return Counts(self.right + other.right, self.given + other.given, self.wanted + other.wanted)

    @property
    def f1(self) -> float:
        return 2 * self.right / (self.given + self.wanted) if self.given + self.wanted else 1.0


def squeezed(text: str) -> str:
    return "".join(text.split())


def cells(gold: Sequence[Grid], read: Sequence[Sequence[Sequence[str]]]) -> Counts:
    """Count cells with the right text in the right column, rows aligned in their order. A table that is not in the
    source counts with all of its cells."""
    left = _continued([_trimmed(table) for table in read])
    total = Counts()
    for table in map(_with_text, gold):
        counts = [(_aligned(table, other), number) for number, other in enumerate(left)]
        best, number = max(counts, key=lambda each: each[0].right, default=(Counts(wanted=_filled(table)), -1))
        if best.right == 0:
            best = Counts(wanted=_filled(table))
        else:
            left.pop(number)
        total += best
    return total + Counts(given=sum(sum(bool(cell) for row in table for cell in row) for table in left))


def _with_text(table: Grid) -> Grid:
    kept = [place for place in range(len(table[0])) if any(row[place] for row in table)]
    return [[row[place] for place in kept] for row in table if any(row)]


def words(gold: str, read: str) -> Counts:
    """Count the words that stand in the source's order."""
    wanted, given = WORD.findall(gold), WORD.findall(read)
    blocks = SequenceMatcher(None, wanted, given, autojunk=False).get_matching_blocks()
    return Counts(sum(block.size for block in blocks), len(given), len(wanted))


def from_markdown(text: str) -> tuple[list[list[list[str]]], str]:
    """Return (the tables, the text without the signs of Markdown)."""
    tables: list[list[list[str]]] = []
    inside = False
    for line in text.splitlines():
        if not line.startswith("|"):
            inside = False
        elif RULE.fullmatch(line.strip()):
            continue
        else:
            if not inside:
                tables.append([])
            tables[-1].append([part.strip() for part in re.split(r"(?<!\\)\|", line.strip().strip("|"))])
            inside = True
    return tables, re.sub(r"^#+ |\|(?: ?:?-{3,}:? ?\|)+|\|", " ", text, flags=re.MULTILINE)


def _trimmed(table: Sequence[Sequence[str]]) -> list[list[str]]:
    rows = [[squeezed(cell or "") for cell in row] for row in table]
    rows = [row for row in rows if any(row)]
    columns = [
        place for place in range(max(map(len, rows), default=0)) if any(row[place : place + 1] != [""] for row in rows)
    ]
    return [[row[place] if place < len(row) else "" for place in columns] for row in rows]


def _continued(tables: list[list[list[str]]]) -> list[list[list[str]]]:
    """Join the parts of a table that goes on over pages, each with its header repeated."""
    joined: list[list[list[str]]] = []
    for table in tables:
        if joined and table and joined[-1] and table[0] == joined[-1][0]:
            joined[-1] = [*joined[-1], *table[1:]]
        elif table:
            joined.append(table)
    return joined


def _filled(table: Grid) -> int:
    return sum(isinstance(cell, str) and bool(cell) for row in table for cell in row)


def _aligned(gold: Grid, read: Sequence[Sequence[str]]) -> Counts:
    best = [[0] * (len(read) + 1) for _ in range(len(gold) + 1)]
    spare = [[0] * (len(read) + 1) for _ in range(len(gold) + 1)]
    for i, wanted in enumerate(gold, 1):
        for j, given in enumerate(read, 1):
            right, free = _row(wanted, given)
            options = [
                (best[i - 1][j], spare[i - 1][j]),
                (best[i][j - 1], spare[i][j - 1]),
                (best[i - 1][j - 1] + right, spare[i - 1][j - 1] + free),
            ]
            best[i][j], spare[i][j] = max(options)
    filled = sum(bool(cell) for row in read for cell in row)
    return Counts(best[-1][-1], filled - spare[-1][-1], _filled(gold))


def _row(gold: Sequence[Cell], read: Sequence[str]) -> tuple[int, int]:
    pairs = list(zip(gold, read, strict=False))
    right = sum(isinstance(cell, str) and bool(cell) and squeezed(cell) == other for cell, other in pairs)
    free = sum(isinstance(cell, Covered) and bool(other) and squeezed(cell.text) == other for cell, other in pairs)
    return right, free

"""The report of one `add`."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Literal

from app.storage.jobs import ItemStatus

Outcome = Literal["added", "replaced", "unchanged", "failed", "deleted"]


@dataclass(frozen=True, slots=True)
class Ended:
    id: str
    status: ItemStatus
    code: str = ""
    detail: str = ""
    warnings: frozenset[str] = frozenset()
    """The codes of what its text lacks."""
    failed_members: Sequence[Ended] = ()
    """Of what it holds, such as attachments, what has failed."""


@dataclass
class AddReport:
    """Counts what became of the files. `accepted` are documents that will be ingested, `waiting` those not yet done,
    `outdated` the unchanged ones that another loader or splitter would make now."""

    counts: Counter[Outcome] = field(default_factory=Counter)
    accepted: int = 0
    waiting: int = 0
    outdated: int = 0
    planned: list[tuple[str, str]] = field(default_factory=list)
    with_warnings: int = 0
    _warnings: Counter[str] = field(default_factory=Counter)
    _failures: defaultdict[str, list[tuple[str, str]]] = field(default_factory=lambda: defaultdict(list))

    def fail(self, name: str, code: str, detail: str) -> None:
        self.counts["failed"] += 1
        # A name on disk may hold what a terminal would obey.
        self._failures[code].append((name if name.isprintable() else repr(name), detail))

    def warn(self, codes: Collection[str]) -> None:
        """Count a document whose text lacks something."""
        self.with_warnings += bool(codes)
        self._warnings.update(codes)

    def warnings(self) -> str:
        """Return a line, the most frequent code first; empty if no text lacks anything."""
        order = sorted(self._warnings.items(), key=lambda each: (-each[1], each[0]))
        found = ", ".join(f"{code} {count}" for code, count in order)
        return (
            f"With warnings: {self.with_warnings} ({found}); GET /documents?warning=CODE lists them." if found else ""
        )

    def failures(self) -> Iterator[str]:
        """Yield lines: the most frequent reason first, each with the names of its files."""
        for code, files in sorted(self._failures.items(), key=lambda each: (-len(each[1]), each[0])):
            yield f"{code} ({len(files)})"
            yield from (f"  {name}: {detail}" for name, detail in sorted(files))

    def summary(self) -> str:
        order: tuple[Outcome, ...] = ("added", "replaced", "unchanged", "failed", "deleted")
        return ", ".join(f"{self.counts[each]} {each}" for each in order) + "."

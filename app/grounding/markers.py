"""Find the citation markers in an answer, and correct them. Pure."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass

MARKER = re.compile(r"\[[ \t]{0,3}[0-9]+(?:[ \t]{0,3}[,;–-][ \t]{0,3}[0-9]+)*[ \t]{0,3}\](?!\()")
CODE = re.compile(r"```.*?(?:```|\Z)|`[^`\n]{1,200}`", re.DOTALL)
CODE_OR_MARKER = re.compile(f"(?:{CODE.pattern})|(?P<marker>{MARKER.pattern})", re.DOTALL)
RANKS = re.compile(r"([0-9]+)(?:[ \t]*[–-][ \t]*([0-9]+))?")


@dataclass(frozen=True, slots=True)
class Span:
    """Code points, `end` excluded."""

    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Marker:
    """A citation marker that the model wrote; `ranks` are those of existing matches."""

    span: Span
    ranks: frozenset[int]


def markers_in(answer: str, start: int, stop: int, matches: int) -> Iterator[Marker]:
    for found in CODE_OR_MARKER.finditer(answer, start, stop):
        if found["marker"]:
            yield Marker(Span(*found.span()), frozenset(_ranks(found["marker"], matches)))


def _ranks(marker: str, matches: int) -> Iterator[int]:
    for first, last in RANKS.findall(marker):
        # An integer of thousands of digits is an error in Python; no rank is that long.
        low, high = (int(digits.lstrip("0")[:9] or 0) for digits in (first, last or first))
        yield from range(max(low, 1), min(high, matches) + 1)


def with_markers(
    answer: str, sentence: Span, markers: Sequence[Marker], supporting: Collection[int], cited: Collection[int]
) -> str:
    """Keep the markers that hold. If none does, the last one takes the number of what supports the sentence.

    Those of a sentence that claims nothing may name what has been `cited`.
    """
    start = sentence.start
    kept = [sorted(marker.ranks.intersection(supporting or cited)) for marker in markers]
    if kept and not any(kept):
        kept[-1] = sorted(supporting)
    parts: list[str] = []
    for marker, ranks in zip(markers, kept, strict=True):
        before = answer[start : marker.span.start]
        parts += [before, f"[{', '.join(map(str, ranks))}]"] if ranks else [before.rstrip()]
        start = marker.span.end
    parts.append(answer[start : sentence.end])
    return "".join(parts).strip()

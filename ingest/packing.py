"""Fill chunks with whole sentences and rows: as many as fit, the last few of them again in the next chunk."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate

from app.language.tables import Span
from ingest.blocks import Block

CountTokens = Callable[[Sequence[str]], list[int]]

# White space makes no token.
MAX_CHARACTERS_A_TOKEN = 16
# Of a chunk, the share that the repeated header of a table may take: with less left, rows would stand almost alone.
MOST_HEADER = 0.75


@dataclass(frozen=True, slots=True)
class Unit(Block):
    """A block, or a part of one that is longer than a chunk."""

    tokens: int = 0


@dataclass(frozen=True, slots=True)
class Part:
    """What a chunk has of the text, below the `header` of a table if it begins among the rows."""

    start: int
    stop: int
    text: str
    tokens: int
    header: Span | None


class Fit:
    """What fits into a chunk. Every count includes the `frame`, prefix and special tokens; a chunk has it once."""

    def __init__(self, count_tokens: CountTokens, max_tokens: int) -> None:
        self.count_tokens, self.max_tokens = count_tokens, max_tokens
        self.longest = MAX_CHARACTERS_A_TOKEN * max_tokens
        self.frame = count_tokens(["a"])[0] - 1

    def count(self, text: str) -> int:
        """Count the tokens of a text that is not too long anyway."""
        return self.count_tokens([text])[0] if len(text) <= self.longest else self.max_tokens + 1

    def room_below(self, header: str) -> int | None:
        """Return how many tokens, the frame included, a table's header leaves to its rows; None if too few."""
        needed = self.count(header) - self.frame
        return self.max_tokens - needed if needed <= self.max_tokens * MOST_HEADER else None


class Packing:
    def __init__(self, text: str, units: Sequence[Unit], fit: Fit, overlap_tokens: int) -> None:
        self._text, self._units, self._fit = text, units, fit
        self._room, self._overlap_tokens = fit.max_tokens - fit.frame, overlap_tokens
        self._own = [unit.tokens - fit.frame for unit in units]
        self._before = [0, *accumulate(self._own)]
        self._leads = _Leads(units)
        self._rooms: dict[Span, int | None] = {}
        """What the headers leave to the rows."""

    def parts(self) -> Iterator[Part]:
        first, done, last_unit = 0, -1, len(self._units) - 1
        while done < last_unit:
            begun, done, part = self._part(first, done + 1)
            yield part
            if done < last_unit:
                first = self._overlap(begun, done)

    def _part(self, first: int, new: int) -> tuple[int, int, Part]:
        """Return the chunk that begins with `first`, of which those before `new` are in the chunk before, too."""
        header = self._repeated(first)
        last = self._leads.keep_with_text(max(first, new), max(self._fill(first, header), new))
        while (tokens := self._fit.count(text := self._content(header, first, last))) > self._fit.max_tokens:
            # The white space between units counts too: drop the overlap first, then the last unit.
            if first < new:
                first, header = new, self._repeated(new)
            elif last > first:
                last = self._leads.keep_with_text(first, last - 1)
            else:
                header = None
        return first, last, Part(self._units[first].start, self._units[last].stop, text, tokens, header)

    def _content(self, header: Span | None, first: int, last: int) -> str:
        above = self._text[slice(*header)] if header else ""
        return above + self._text[self._units[first].start : self._units[last].stop]

    def _repeated(self, first: int) -> Span | None:
        """Return the header of the table among whose rows the chunk begins, unless it leaves too little room."""
        header = self._units[first].header
        if header and header not in self._rooms:
            self._rooms[header] = self._fit.room_below(self._text[slice(*header)])
        return header if header and self._rooms[header] else None

    def _fill(self, first: int, header: Span | None) -> int:
        """Return the last unit that fits after `first`."""
        last, total = first, self._own[first]
        room = (self._rooms[header] or 0) - self._fit.frame if header else self._room
        while last + 1 < len(self._own) and total + self._own[last + 1] <= room:
            last += 1
            total += self._own[last]
        return last

    def _overlap(self, before: int, done: int) -> int:
        """Return where the next chunk begins: some whole units back, but never at the whole chunk again, over a heading
        or among the rows of a table, which each stand for themselves."""
        first, total = done + 1, 0
        below = self._leads.text_below[first]
        room = min(self._overlap_tokens, self._room - (self._before[below + 1] - self._before[first]))
        while first > before + 1 and total + self._own[first - 1] <= room and self._joined(first - 1):
            first -= 1
            total += self._own[first]
        return first

    def _joined(self, at: int) -> bool:
        """Tell whether a unit and the next one are of one section, and neither is a row."""
        one, two = self._units[at], self._units[at + 1]
        return not (one.leads or two.leads or one.header or two.header)


class _Leads:
    """Where runs of headings begin and what they stand above, found once: a text may be headings alone."""

    def __init__(self, units: Sequence[Unit]) -> None:
        self._last = len(units) - 1
        self._run_begins: list[int] = []
        """For each unit where the headings that end with it begin; the next one's place if it is none."""
        begin = 0
        for at, unit in enumerate(units):
            if not unit.leads:
                begin = at + 1
            self._run_begins.append(begin)
        self.text_below = list(range(len(units)))
        """For each unit the one below the headings that begin with it; itself if it is none."""
        for at in range(self._last - 1, -1, -1):
            if self._run_begins[at] <= at:
                self.text_below[at] = self.text_below[at + 1]

    def keep_with_text(self, first: int, last: int) -> int:
        """Return the unit before the headings that would end a chunk, unless they are all of it."""
        begin = self._run_begins[last]
        return begin - 1 if first < begin <= last < self._last else last

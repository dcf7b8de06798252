"""Text made of words, which keeps where each of its code points stands in the file."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from app.storage.origins import MADE, Run, runs_within
from ingest.loading.parsers.pdf.words import Word

Piece = Word | str
"""A word, or text that is made."""


@dataclass(frozen=True, slots=True)
class Written:
    text: str
    runs: tuple[Run, ...]


BLANK_LINE = Written("\n\n", ((2, MADE),))


def in_blocks(blocks: Iterable[Sequence[Piece]]) -> list[Piece]:
    """Join what is not empty by blank lines."""
    pieces: list[Piece] = []
    for block in filter(None, blocks):
        pieces.extend(["\n\n", *block] if pieces else block)
    return pieces


def written(pieces: Sequence[Piece]) -> Written:
    text: list[str] = []
    runs: list[Run] = []
    # The run in hand.
    length, first = 0, MADE
    for number, piece in enumerate(pieces):
        if isinstance(piece, Word):
            text.append(piece.text)
            spans = _spans(piece.sources)
        else:
            text.append(piece)
            spans = ((len(piece), MADE),)
            # The space between two words of the file is the file's own.
            if piece == " " and first != MADE and _begins(pieces, number + 1) == first + length + 1:
                spans = ((1, first + length),)
        for count, source in spans:
            if source == (MADE if first == MADE else first + length):
                length += count
            elif count:
                runs += [(length, first)] if length else []
                length, first = count, source
    runs += [(length, first)] if length else []
    return Written("".join(text), tuple(runs))


def _spans(sources: Sequence[int]) -> tuple[Run, ...]:
    return ((len(sources), sources.start),) if isinstance(sources, range) else tuple((1, source) for source in sources)


def _begins(pieces: Sequence[Piece], number: int) -> int:
    """Return where the word begins that stands there, if one does."""
    piece = pieces[number] if number < len(pieces) else ""
    return piece.sources[0] if isinstance(piece, Word) else MADE


def joined_blocks(blocks: Iterable[Written]) -> Written:
    parts: list[Written] = []
    for block in blocks:
        if block.text:
            parts += [BLANK_LINE, block] if parts else [block]
    return concatenated(parts)


def concatenated(parts: Sequence[Written]) -> Written:
    runs: list[Run] = []
    for part in parts:
        for length, source in part.runs:
            _add(runs, length, source)
    return Written("".join(part.text for part in parts), tuple(runs))


def cut(whole: Written, start: int, stop: int) -> Written:
    return Written(whole.text[start:stop], tuple(runs_within(whole.runs, start, stop)))


def _add(runs: list[Run], length: int, source: int) -> None:
    if not length:
        return
    before, first = runs[-1] if runs else (0, 0)
    follows = source == (MADE if first == MADE else first + before)
    if runs and follows and (source == MADE) == (first == MADE):
        runs[-1] = (before + length, first)
    else:
        runs.append((length, source))

"""Text made of words, which keeps where each of its code points stands in the file."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from app.storage.origins import MADE, Run
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
    for number, piece in enumerate(pieces):
        if isinstance(piece, Word):
            text.append(piece.text)
            _add_word(runs, piece.sources)
            continue
        text.append(piece)
        after = pieces[number + 1] if piece == " " and number + 1 < len(pieces) else None
        end = sum(runs[-1]) if runs and runs[-1][1] != MADE else MADE
        # The space between two words of the file is the file's own.
        if isinstance(after, Word) and end != MADE and after.sources[0] == end + 1:
            _add(runs, 1, end)
        else:
            _add(runs, len(piece), MADE)
    return Written("".join(text), tuple(runs))


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


def _add_word(runs: list[Run], sources: Sequence[int]) -> None:
    if isinstance(sources, range):
        _add(runs, len(sources), sources.start)
    else:
        for source in sources:
            _add(runs, 1, source)


def _add(runs: list[Run], length: int, source: int) -> None:
    if not length:
        return
    before, first = runs[-1] if runs else (0, 0)
    follows = source == (MADE if first == MADE else first + before)
    if runs and follows and (source == MADE) == (first == MADE):
        runs[-1] = (before + length, first)
    else:
        runs.append((length, source))

"""Text of several directions on one page: what is turned against the rest is placed as it lies, a line as one word."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

from app.storage.origins import MADE
from ingest.loading.parsers.pdf.characters import turned
from ingest.loading.parsers.pdf.lines import Line, line_of, lines_of, pieces_of
from ingest.loading.parsers.pdf.words import Word

# Of the height of a line: further apart are two texts.
APART = 1.0


def direction(words: Sequence[Word]) -> int:
    """Return the angle of most of the text."""
    counted = Counter[int]()
    for word in words:
        counted[word.style.angle] += 0 if word.style.slant else len(word.text)
    return counted.most_common(1)[0][0] if counted else 0


def in_one_direction(words: Sequence[Word], angle: int) -> list[Word]:
    others = {word.style.angle for word in words} - {angle}
    found = [word for word in words if word.style.angle == angle]
    for other in sorted(others):
        for line in lines_of([word for word in words if word.style.angle == other]):
            found.extend(_as_word(part, other, angle) for part in _parts(line))
    return found


def _parts(line: Line) -> Iterator[Line]:
    start = 0
    for number, (before, after) in enumerate(zip(line.words, line.words[1:], strict=False), 1):
        if after.x0 - before.x1 > APART * line.height:
            yield line_of(line.words[start:number])
            start = number
    yield line_of(line.words[start:])


def _as_word(line: Line, own: int, angle: int) -> Word:
    text: list[str] = []
    sources: list[int] = []
    for piece in pieces_of(line):
        text.append(piece if isinstance(piece, str) else piece.text)
        sources.extend([MADE] * len(piece) if isinstance(piece, str) else piece.sources)
    box = turned(angle, turned(own, (line.x0, line.top, line.x1, line.bottom)))
    return Word("".join(text), sources, *box, line.words[0].style)

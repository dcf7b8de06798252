"""Joins the word that a hyphen parts at the end of a page."""

from __future__ import annotations

from collections.abc import Sequence, Set
from itertools import pairwise

from app.storage.origins import MADE
from ingest.loading.parsers.pdf.habits import Habits
from ingest.loading.parsers.pdf.pieces import Written, concatenated, cut

MAX_WORD = 100


def with_whole_words(texts: Sequence[Written], hyphenates: Sequence[bool], words: Set[str]) -> list[Written]:
    """Return the texts of the pages, where a word over two stands whole on the first. `hyphenates` tells of each page
    whether words are broken there; `words` are those of the document."""
    found = list(texts)
    for number, breaks in enumerate(pairwise(hyphenates)):
        before, after = found[number], found[number + 1]
        one, two = _last(before.text), _first(after.text)
        if Habits(spaced=False, hyphenates=any(breaks), words=words).breaks(one, two):
            rest = len(after.text) - len(after.text[len(two) :].lstrip())
            end = Written(two, ((len(two), MADE),))
            found[number] = concatenated([cut(before, 0, len(before.text) - 1), end])
            found[number + 1] = cut(after, rest, len(after.text))
    return found


def _last(text: str) -> str:
    end = text[-MAX_WORD:]
    return "" if end[-1:].isspace() else (end.split() or [""])[-1]


def _first(text: str) -> str:
    begin = text[:MAX_WORD]
    return "" if begin[:1].isspace() else (begin.split() or [""])[0]

"""Tell what is retrieved and adds nothing: copies, and what is beyond a document's share. Pure.

Copies are one text under several ids, and versions that differ where nothing is asked.
A chunk is a copy if better ones hold all its sentences, or all but a few that share no word with the question, such as
a date of revision. A version that says something else of what is asked is not one.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from enum import IntEnum

from app.language.content_words import terms_of
from app.retrieval.match import Match

# Whole sentences are not needed here, and this costs a tenth.
SENTENCE = re.compile(r"(?<=[.?!。])\s+|\n+")
# The share of a version's text that may be its own.
OWN = 0.3


class Standing(IntEnum):
    """In the order in which places are given."""

    NEW = 0
    BEYOND_SHARE = 1
    COPY = 2


class Seen:
    """The better matches: their sentences, and how many of each document there are."""

    def __init__(self, question: str, per_document: int | None = None) -> None:
        self._asked = terms_of(question)
        self._sentences: set[str] = set()
        self._share = per_document
        self._of_document = Counter[str]()

    def standing(self, match: Match) -> Standing:
        """Tell what the match is beside the ones before it, and remember it."""
        if self._share is not None and self._of_document[match.document_id] >= self._share:
            return Standing.BEYOND_SHARE
        if not self.adds(match):
            return Standing.COPY
        self._of_document[match.document_id] += 1
        return Standing.NEW

    def adds(self, match: Match) -> bool:
        """Tell whether the match says more than the ones before it, and remember it."""
        sentences = {" ".join(each.split()) for each in SENTENCE.split(match.text)} - {""}
        new = sentences - self._sentences
        self._sentences |= new
        if sum(map(len, new)) > OWN * sum(map(len, sentences)):
            return True
        return any(self._asked & terms_of(sentence) for sentence in new)


def without_copies(question: str, matches: Sequence[Match]) -> list[Match]:
    seen = Seen(question)
    return [match for match in matches if seen.adds(match)]


def chosen(matches: Sequence[Match], standings: Sequence[Standing], wanted: int, *, copies: bool) -> list[Match]:
    """Give the places to what is new, then to what else there is; return them in the order of rank."""
    by_turn = sorted(range(len(standings)), key=standings.__getitem__)
    given = [place for place in by_turn if copies or standings[place] is not Standing.COPY][:wanted]
    return [matches[place] for place in sorted(given)]

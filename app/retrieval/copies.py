"""Tell copies among what is retrieved: one text under several ids, versions that differ where nothing is asked. Pure.

A chunk is a copy if better ones hold all its sentences, or all but a few that share no word with the question, such as
a date of revision. A version that says something else of what is asked is not one.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from app.language.content_words import terms_of
from app.retrieval.match import Match

# Whole sentences are not needed here, and this costs a tenth.
SENTENCE = re.compile(r"(?<=[.?!。])\s+|\n+")
# The share of a version's text that may be its own.
OWN = 0.3


class Seen:
    """The sentences of the better matches."""

    def __init__(self, question: str) -> None:
        self._asked = terms_of(question)
        self._sentences: set[str] = set()

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

"""Compare what an answer says with the sentences of the retrieved chunks. Pure.

The measure is lexical precision: the share of the answer sentence's content words that is in one or two adjacent
sentences of a chunk. It is the precision half of the word-overlap F1 between a response and its knowledge that
Shuster et al. call Knowledge F1 ("Retrieval Augmentation Reduces Hallucination in Conversation", Findings of EMNLP
2021). A share alone would let one wrong fact pass in a sentence that repeats the question, therefore: what the sentence
adds to the question is measured by itself, every number must be in the quoted sentences, every Latin name in the chunk,
its title or the question, every address in the chunk to the letter, and nothing may be negated on one side alone. What
it cannot see: synonyms, other languages, a claim that joins facts from distant sentences. These are marked unsupported.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

from app.grounding.bare_answers import BareAnswer
from app.grounding.links import Links, find_links
from app.grounding.markers import MARKER, Span
from app.grounding.passages import passages_of
from app.language.content_words import Word, content_words, precision, terms_of
from app.language.hangul import HAS_HANGUL
from app.language.marks import cut_runs
from app.retrieval.match import Match

# Measured on questions joined with their right answer, with another question's, and with one that is in no passage.
SUPPORTED = 0.5
SUPPORTED_NEWS = 0.6
# A quote of which the answer uses more is the better of two that support it equally.
PREFER_SHORT = 0.15

NAME = re.compile(r"(?<![^\W\d_])(?<!['’])[A-Z][^\W\d_]*(?:['’.-][^\W\d_]+)*")
COMMON_ENDING = re.compile(r".*(?:s|ly|ing|ed)")
NEGATED = (
    re.compile(
        r"\b(?:not|never|cannot|without|no|\w{2,12}n['’]t)\s{1,3}(?:(?:be|been|an?|any|the)\s{1,3})?(\w+)",
        re.IGNORECASE,
    ),
    re.compile(r"\b(?:im(?=possib)|un(?=availab|able\b|true\b)|non[- ]?)(\w+)", re.IGNORECASE),
)
# Of a Korean word the first two syllables are compared, `환불` of `환불할 수 없`.
NEGATED_KOREAN = (
    re.compile(r"([가-힣]{2,20})\s{1,3}(?:수\s?)?(?:없|않|못|안\s{1,3}[되돼됩된됐하합한해했]|금지|불가(?!능)|제외)"),
    re.compile(r"불(가능)"),
)


@dataclass(frozen=True, slots=True)
class Evidence:
    """One or two adjacent sentences of a chunk, by their terms; a row has those of its table's header, too."""

    marker: int
    span: Span
    terms: frozenset[str]
    size: int
    negated: frozenset[str]
    header: frozenset[str]


Reason = Literal["no_source", "number_differs", "negated", "name_unknown"]


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the words of the sources say of a sentence: `pieces` support it, or `reason` says why none does."""

    pieces: Sequence[Evidence]
    score: float
    """The share of the sentence's words that the best piece holds."""
    reason: Reason | None = None
    nearest: Evidence | None = None
    """What would be quoted if a judge found support; None where none may."""


@dataclass(frozen=True, slots=True)
class Claim:
    """What an answer sentence says. `news` are the words that it adds to the question."""

    text: str
    words: list[Word]
    news: list[Word]
    names: frozenset[str]
    negated: frozenset[str]


class Sources:
    """The retrieved chunks, and the question that they answer, ready to be compared with."""

    def __init__(self, matches: Sequence[Match], question: str) -> None:
        asked = terms_of(question)
        self._evidence = [piece for rank, match in enumerate(matches, start=1) for piece in _evidence(rank, match)]
        self._known = [terms_of(" ".join([*match.path, match.text])) | asked for match in matches]
        self._texts = [match.text for match in matches]
        self._asked = asked
        self._question = _claim(question, frozenset())

    def supporting(self, sentence: str, hints: frozenset[int]) -> Verdict | None:
        """Find the best piece of each supporting chunk in `hints`, else the best of all; None for no claim at all."""
        claim = _claim(sentence, self._asked)
        if not claim.words:
            return None
        links = find_links(claim.text)
        shares = [(precision(claim.words, piece.terms), piece) for piece in self._evidence]
        best: dict[int, tuple[float, Evidence]] = {}
        for share, piece in shares:
            if share < SUPPORTED or not self._supports(claim, piece, links):
                continue
            score = share + PREFER_SHORT * min(1.0, share * len(claim.words) / piece.size)
            if piece.marker not in best or score > best[piece.marker][0]:
                best[piece.marker] = (score, piece)
        if not best:
            return self._unsupported(claim, shares, hints, links)
        named = [piece for rank, (_, piece) in sorted(best.items()) if rank in hints]
        pieces = named or [max(best.values(), key=lambda scored: (scored[0], -scored[1].marker))[1]]
        return Verdict(pieces, max(precision(claim.words, piece.terms) for piece in pieces), nearest=pieces[0])

    def affirming(self, statement: str, answer: BareAnswer) -> Verdict | None:
        """Find what says so of `statement`: no piece if the sources say the contrary, None if nothing does.

        Without content words of its own the statement is the question.
        """
        claim, affirmed = _claim(statement, frozenset()), answer.affirmed
        nearest = self._nearest(claim)
        if nearest is None:
            flipped = bool(claim.negated) != (answer.by_verb and bool(self._question.negated))
            claim, affirmed = self._question, affirmed != flipped
            nearest = self._nearest(claim)
        if nearest is None:
            return None
        if not _numbers_held(claim, nearest) or not claim.names <= self._known[nearest.marker - 1]:
            return Verdict([], 0, "no_source") if affirmed else None
        said = bool(nearest.negated) == bool(claim.negated)
        return Verdict([nearest], 1) if said == affirmed else Verdict([], 0, "negated")

    def mention(self, statement: str) -> bool:
        """Tell whether a sentence holds every content word of the statement."""
        words = _claim(statement, frozenset()).words
        return bool(words) and any(precision(words, piece.terms) == 1 for piece in self._evidence)

    def _nearest(self, claim: Claim) -> Evidence | None:
        if not claim.words:
            return None
        shares = [(precision(claim.words, piece.terms), -piece.size, piece) for piece in self._evidence]
        share, _, nearest = max(shares, key=lambda scored: scored[:2], default=(0.0, 0, None))
        return nearest if share >= SUPPORTED_NEWS else None

    def _unsupported(
        self, claim: Claim, shares: Sequence[tuple[float, Evidence]], hints: frozenset[int], links: Links
    ) -> Verdict:
        quotable = [
            (piece.marker in hints, share, piece)
            for share, piece in shares
            if (share or piece.marker in hints) and not links.lead_beyond(self._texts[piece.marker - 1])
        ]
        if not quotable:
            return Verdict([], 0, "no_source")
        _, _, nearest = max(quotable, key=lambda each: each[:2])
        share, alike = max(((share, piece) for _, share, piece in quotable), key=lambda each: each[0])
        reason = self._objection(claim, alike if share >= SUPPORTED else nearest, share)
        return Verdict([], share, reason, nearest)

    def _objection(self, claim: Claim, piece: Evidence, share: float) -> Reason:
        """Say what differs; of a piece that is hardly alike, only what its whole chunk does not have."""
        rank = piece.marker - 1
        alike = share >= SUPPORTED
        numbers = piece.terms if alike else self._known[rank]
        if not all(word[0] in numbers for word in claim.words if word[0].startswith("#")):
            return "number_differs"
        if alike and _denied(claim, piece):
            return "negated"
        # In a chunk in Korean an English name is written otherwise.
        if not claim.names <= self._known[rank] and (alike or not HAS_HANGUL.search(self._texts[rank])):
            return "name_unknown"
        return "no_source"

    def _supports(self, claim: Claim, piece: Evidence, links: Links) -> bool:
        rank = piece.marker - 1
        return _agrees(claim, piece, self._known[rank]) and not links.lead_beyond(self._texts[rank])


def _evidence(rank: int, match: Match) -> Iterator[Evidence]:
    passages = passages_of(match)
    pairs = ((one.span.start, other.span.end, other.header) for one, other in pairwise(passages) if other.joins)
    for start, stop, header in [*((each.span.start, each.span.end, each.header) for each in passages), *pairs]:
        text = _bare(match.text[start:stop])
        words = set(content_words(text))
        if words:
            named = terms_of(_bare(header)) if header else frozenset[str]()
            terms = named.union(*words)
            yield Evidence(rank, Span(start, stop), terms, len(words), _negated(text), named)


def _claim(sentence: str, asked: frozenset[str]) -> Claim:
    text = _bare(sentence)
    words = list(dict.fromkeys(content_words(text)))
    news = [word for word in words if precision([word], asked) < SUPPORTED]
    return Claim(sentence, words, news, _names(text), _negated(text))


def _bare(sentence: str) -> str:
    return unicodedata.normalize("NFC", MARKER.sub(" ", cut_runs(sentence)))


def _names(text: str) -> frozenset[str]:
    """Return the terms of capitalised words; of the first if it looks like a name, not like `Refunds` or `Usually`."""
    names: set[str] = set()
    for found in NAME.finditer(text):
        first = not any(letter.isalnum() for letter in text[max(0, found.start() - 40) : found.start()])
        if not (first and COMMON_ENDING.fullmatch(found[0])):
            names |= terms_of(found[0])
    return frozenset(names)


def _negated(text: str) -> frozenset[str]:
    """Return the terms of what is negated."""
    words = [word for pattern in NEGATED for word in pattern.findall(text)]
    words += [word[:2] for pattern in NEGATED_KOREAN for word in pattern.findall(text)]
    return frozenset(term for word in words for term in terms_of(word))


def _agrees(claim: Claim, piece: Evidence, known: frozenset[str]) -> bool:
    # What names a row's values is true of every row: the rest must be this row's.
    own = [word for word in claim.words if precision([word], piece.header) < SUPPORTED] if piece.header else []
    if any(words and precision(words, piece.terms) < SUPPORTED_NEWS for words in (claim.news, own)):
        return False
    return _numbers_held(claim, piece) and claim.names <= known and not _denied(claim, piece)


def _denied(claim: Claim, piece: Evidence) -> frozenset[str]:
    """Return what is negated on one side alone."""
    claimed = {term for word in claim.words for term in word}
    return ((claim.negated - piece.negated) | (piece.negated & claimed - claim.negated)) & piece.terms


def _numbers_held(claim: Claim, piece: Evidence) -> bool:
    return all(word[0] in piece.terms for word in claim.words if word[0].startswith("#"))

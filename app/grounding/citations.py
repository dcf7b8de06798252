"""Find the retrieved sentence that supports each sentence of an answer. Pure.

The measure is lexical precision: the share of the answer sentence's content words that are in one or two adjacent
sentences of a chunk. It is the precision half of the word-overlap F1 between a response and its knowledge that
Shuster et al. call Knowledge F1 ("Retrieval Augmentation Reduces Hallucination in Conversation", Findings of EMNLP
2021). A share alone would let one wrong fact pass in a sentence that repeats the question, therefore: what the sentence
adds to the question is measured by itself, every number must be in the quoted sentences, every Latin name in the chunk,
its title or the question, every address in the chunk to the letter, and nothing may be negated on one side alone. What
it cannot see: synonyms, other languages, a claim that joins facts from distant sentences. These are marked unsupported.
A sentence without a content word ("Yes.", "네.") makes no claim of its own: neither cited nor marked.
"""

from __future__ import annotations

import re
import unicodedata
from collections import deque
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

from app.grounding.links import find_links
from app.language.content_words import Word, content_words, precision, terms_of
from app.language.marks import cut_runs
from app.language.sentences import split_sentences
from app.prompting.json_schema import Said, claims, is_json
from app.retrieval.match import Match

# Measured on questions joined with their right answer, with another question's, and with one that is in no passage.
SUPPORTED = 0.5
SUPPORTED_NEWS = 0.6
# A quote of which the answer uses more is the better of two that support it equally.
PREFER_SHORT = 0.15

MARKER = re.compile(r"\[[ \t]{0,3}[0-9]+(?:[ \t]{0,3}[,;–-][ \t]{0,3}[0-9]+)*[ \t]{0,3}\](?!\()")
CODE = re.compile(r"```.*?(?:```|\Z)|`[^`\n]{1,200}`", re.DOTALL)
CODE_OR_MARKER = re.compile(f"(?:{CODE.pattern})|(?P<marker>{MARKER.pattern})", re.DOTALL)
RANKS = re.compile(r"([0-9]+)(?:[ \t]*[–-][ \t]*([0-9]+))?")
NAME = re.compile(r"(?<![^\W\d_])(?<!['’])[A-Z][^\W\d_]*(?:['’.-][^\W\d_]+)*")
COMMON_ENDING = re.compile(r".*(?:s|ly|ing|ed)")
NEGATED_ENGLISH = re.compile(
    r"\b(?:not|never|cannot|without|no|\w{2,12}n['’]t)\s{1,3}(?:(?:be|been|an?|any|the)\s{1,3})?(\w+)", re.IGNORECASE
)
NEGATED_KOREAN = re.compile(r"([가-힣]{2,20})\s{1,3}(?:수\s?)?(?:없|않|못)")


@dataclass(frozen=True, slots=True)
class Span:
    """Code points, `end` excluded."""

    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Citation:
    """`marker` is the rank of `match` among the matches, from 1; `quote` is `match.text[chunk_span]`, literally."""

    marker: int
    match: Match
    quote: str
    answer_span: Span
    chunk_span: Span


@dataclass(frozen=True, slots=True)
class Support:
    """The spans refer to `answer`, which has lost the markers that nothing supports."""

    answer: str
    citations: list[Citation]
    unsupported: list[Span]


@dataclass(frozen=True, slots=True)
class Evidence:
    """One or two adjacent sentences of a chunk, by their terms."""

    marker: int
    span: Span
    terms: frozenset[str]
    size: int
    negated: frozenset[str]


@dataclass(frozen=True, slots=True)
class Marker:
    """A citation marker that the model wrote; `ranks` are those of existing matches."""

    span: Span
    ranks: frozenset[int]


@dataclass(frozen=True, slots=True)
class Claim:
    """An answer sentence. `news` are the words that it adds to the question."""

    span: Span
    text: str
    words: list[Word]
    news: list[Word]
    names: frozenset[str]
    negated: frozenset[str]
    markers: list[Marker]


def cite(answer: str, matches: Sequence[Match], question: str = "") -> Support:
    """Take the model's markers as hints: a chunk it names is tried first, and must support the sentence."""
    structured = is_json(answer)
    markers = [] if structured else list(_markers(answer, len(matches)))
    said = claims(answer) if structured else _sentences(answer)
    evidence = [piece for rank, match in enumerate(matches, start=1) for piece in _evidence(rank, match)]
    asked = terms_of(question)
    known = [terms_of(f"{match.title or ''} {match.text}") | asked for match in matches]
    texts = [match.text for match in matches]
    checked = [(claim, _supporting(claim, evidence, known, texts)) for claim in _claims(said, markers, asked)]
    everywhere = {piece.marker for _, pieces in checked for piece in pieces}
    citations: list[Citation] = []
    unsupported: list[Span] = []
    clean = ""
    before = 0
    for claim, pieces in checked:
        clean += answer[before : claim.span.start]
        before = claim.span.end
        sentence = _with_markers(answer, claim, {piece.marker for piece in pieces} if claim.words else everywhere)
        span = Span(len(clean), len(clean) + len(sentence))
        clean += sentence
        citations.extend(_citation(piece, matches, span) for piece in pieces)
        if claim.words and not pieces:
            unsupported.append(span)
    return Support(clean + answer[before:], citations, unsupported)


def _markers(answer: str, matches: int) -> Iterator[Marker]:
    for found in CODE_OR_MARKER.finditer(answer):
        if found["marker"]:
            yield Marker(Span(*found.span()), frozenset(_ranks(found["marker"], matches)))


def _ranks(marker: str, matches: int) -> Iterator[int]:
    for first, last in RANKS.findall(marker):
        # An integer of thousands of digits is an error in Python; no rank is that long.
        low, high = (int(digits.lstrip("0")[:9] or 0) for digits in (first, last or first))
        yield from range(max(low, 1), min(high, matches) + 1)


def _evidence(rank: int, match: Match) -> Iterator[Evidence]:
    sentences = split_sentences(match.text)
    for start, stop in [*sentences, *((one[0], other[1]) for one, other in pairwise(sentences))]:
        text = _bare(match.text[start:stop])
        words = set(content_words(text))
        terms = frozenset(term for word in words for term in word)
        if terms:
            yield Evidence(rank, Span(start, stop), terms, len(words), _negated(text))


def _claims(said: Iterator[Said], markers: Sequence[Marker], asked: frozenset[str]) -> Iterator[Claim]:
    rest = deque(markers)
    for start, stop, sentence in said:
        inside = []
        while rest and rest[0].span.start < stop:
            inside.append(rest.popleft())
        text = _bare(sentence)
        words = list(dict.fromkeys(content_words(text)))
        news = [word for word in words if precision([word], asked) < SUPPORTED]
        yield Claim(Span(start, stop), sentence, words, news, _names(text), _negated(text), inside)


def _sentences(answer: str) -> Iterator[Said]:
    return ((start, stop, answer[start:stop]) for start, stop in split_sentences(answer))


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
    """Return the terms of what is negated; of a Korean word the first two syllables, `환불` of `환불할 수 없`."""
    words = [*NEGATED_ENGLISH.findall(text), *(word[:2] for word in NEGATED_KOREAN.findall(text))]
    return frozenset(term for word in words for term in terms_of(word))


def _supporting(
    claim: Claim, evidence: list[Evidence], known: list[frozenset[str]], texts: list[str]
) -> list[Evidence]:
    """Return the best piece of each supporting chunk that the model named, else the best piece of all."""
    if not claim.words:
        return []
    links = find_links(claim.text)
    best: dict[int, tuple[float, Evidence]] = {}
    for piece in evidence:
        share = precision(claim.words, piece.terms)
        rank = piece.marker - 1
        if share < SUPPORTED or not _agrees(claim, piece, known[rank]) or links.lead_beyond(texts[rank]):
            continue
        score = share + PREFER_SHORT * min(1.0, share * len(claim.words) / piece.size)
        if piece.marker not in best or score > best[piece.marker][0]:
            best[piece.marker] = (score, piece)
    hints = {rank for marker in claim.markers for rank in marker.ranks}
    named = [piece for rank, (_, piece) in sorted(best.items()) if rank in hints]
    if named or not best:
        return named
    return [max(best.values(), key=lambda scored: (scored[0], -scored[1].marker))[1]]


def _agrees(claim: Claim, piece: Evidence, known: frozenset[str]) -> bool:
    if claim.news and precision(claim.news, piece.terms) < SUPPORTED_NEWS:
        return False
    numbers_held = all(word[0] in piece.terms for word in claim.words if word[0].startswith("#"))
    claimed = {term for word in claim.words for term in word}
    denied = (claim.negated - piece.negated) | (piece.negated & claimed - claim.negated)
    return numbers_held and claim.names <= known and not denied & piece.terms


def _with_markers(answer: str, claim: Claim, supporting: Collection[int]) -> str:
    """Keep the markers that hold. If none does, the last one takes the number of what supports the sentence."""
    start, stop = claim.span.start, claim.span.end
    kept = [sorted(marker.ranks.intersection(supporting)) for marker in claim.markers]
    if kept and claim.words and not any(kept):
        kept[-1] = sorted(supporting)
    parts: list[str] = []
    for marker, ranks in zip(claim.markers, kept, strict=True):
        before = answer[start : marker.span.start]
        parts += [before, f"[{', '.join(map(str, ranks))}]"] if ranks else [before.rstrip()]
        start = marker.span.end
    parts.append(answer[start:stop])
    return "".join(parts).strip()


def _citation(piece: Evidence, matches: Sequence[Match], answer_span: Span) -> Citation:
    match = matches[piece.marker - 1]
    return Citation(piece.marker, match, match.text[piece.span.start : piece.span.end], answer_span, piece.span)

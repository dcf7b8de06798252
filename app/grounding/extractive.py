"""Answer without a language model: by the one to three retrieved sentences that bear most on the question. Pure.

A sentence's score is the share of the question's content words that it holds, rare words counting more (idf over the
retrieved sentences); what stands near it in its chunk counts half. That share alone decides whether anything bears on
the question at all, unless a name is asked about that is nowhere in the chunks: what they say is then of something
else. Among the sentences, the rank of the chunk counts too, and a number or name where one is asked for. The best one
stands first, the others follow in the order of the sources; titles are left out, and a row of a table comes with
its header. A question in another language than the document's shares no word with it: then there is no answer.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

from app.grounding.citations import Citation, Support
from app.grounding.expected import Expected, expected
from app.grounding.links import find_links
from app.grounding.markers import Span
from app.grounding.passages import passages_of
from app.language.content_words import Word, content_words, precision, terms_of
from app.language.courtesy import bare_question
from app.language.hangul import HAS_HANGUL, SYLLABLES
from app.retrieval.match import Match

# Chosen on questions with and without an answer, in both languages.
BEARS_ON = 0.42
# A further sentence of the same source goes on with the answer; one of another source mostly speaks of something else.
NEARLY_AS_GOOD = 0.75
NEARLY_AS_GOOD_ELSEWHERE = 0.9
# Rows of a table share its header and the words around it.
NEARLY_AS_GOOD_A_ROW = 0.95
MAX_SENTENCES = 3
NEARBY = 0.5
RANK = 0.1
# Chosen with five chunks; further down the place says little.
LAST_RANK = 5
EXPECTED = 0.15
# The last word of a Korean question is its verb, and the text words that differently.
KOREAN_VERB = 0.5

# An amount, a telephone number or a year says exactly what is asked about.
LONG_NUMBER = re.compile("#[0-9]{4}")
NUMBER_WEIGHT = 3
# What is asked about must be known from ten on; who asks for three may have counted.
NUMBER = re.compile("#[0-9][0-9.]")
NAME = re.compile(r"(?<=[\w,;:.”’\"')] )[\"“‘'(]?([A-Z][^\W\d_]*(?:['’.-][^\W\d_]+)*)")
NO_NAME = re.compile(r" [\"“‘'(]?[a-z]")
HANGUL_END = re.compile(rf"[{SYLLABLES}][^\w]*\Z")
# Without one of them, full-width forms included, a text is neither Markdown's link or image nor HTML.
BRACKETS = frozenset("<[﹤＜［")
HEADING = re.compile(r"#{1,6}\s")


@dataclass(frozen=True, slots=True)
class Candidate:
    marker: int
    match: Match
    span: Span
    terms: frozenset[str]
    nearby: frozenset[str]
    header: str = ""
    """That of the table that it is a row of."""

    @property
    def text(self) -> str:
        return self.match.text[self.span.start : self.span.end]


def extract(
    question: str, matches: Sequence[Match], *, whole: str | None = None, min_share: float = BEARS_ON
) -> Support | None:
    """Return verbatim sentences, each followed by its marker; None if nothing in the matches bears on the question.

    `whole` is the question with what the conversation adds to it. That chooses among the sentences that bear on the
    question itself, so that one about another aspect does not repeat the answer before.
    """
    candidates, shares = _shares(question, matches)
    if whole is not None and whole != question:
        question = question if shares else whole
        candidates, shares = _in_conversation(whole, candidates, shares, matches, min_share)
    if not candidates or _bearing(question, candidates, shares) < min_share:
        return None
    answer = expected(question)
    scores = [share + _bonus(answer, candidate) for share, candidate in zip(shares, candidates, strict=True)]
    best = list(islice(_harmless(scores, candidates), MAX_SENTENCES))
    quoted = _quoted(_needed(best))
    # Sentences that are harmless one by one may make an image together.
    return _quoted([best[0][1]]) if find_links(quoted.answer).fetches else quoted


def _in_conversation(
    whole: str, candidates: list[Candidate], shares: list[float], matches: Sequence[Match], min_share: float
) -> tuple[list[Candidate], list[float]]:
    """Return the sentences that bear on the question itself, by both shares; all if it has no word of its own."""
    everything, whole_shares = _shares(whole, matches)
    if not shares:
        return everything, whole_shares
    both = [
        (candidate, (own + share) / 2)
        for candidate, own, share in zip(candidates, shares, whole_shares, strict=True)
        if own >= min_share
    ]
    return [candidate for candidate, _ in both], [share for _, share in both]


def bearing(question: str, matches: Sequence[Match]) -> float:
    """Return what extract() compares with `min_share`."""
    return _bearing(question, *_shares(question, matches))


def _bearing(question: str, candidates: Sequence[Candidate], shares: Sequence[float]) -> float:
    """Return the largest share; 0 if a name or a number, single digits aside, that is asked about is in no chunk."""
    known = frozenset[str]().union(*(candidate.nearby for candidate in candidates))
    asked = {term for word in content_words(bare_question(question)) for term in word}
    if not asked & _names(question) | set(filter(NUMBER.match, asked)) <= known:
        return 0
    return next(_harmless(shares, candidates), (0.0, None))[0]


def _shares(question: str, matches: Sequence[Match]) -> tuple[list[Candidate], list[float]]:
    asked = list(dict.fromkeys(content_words(bare_question(question))))
    candidates = _once(
        candidate for rank, match in enumerate(matches, start=1) for candidate in _candidates(rank, match)
    )
    if not asked:
        return [], []
    weights = _weights(question, asked, candidates)
    return candidates, [_share(weights, candidate) for candidate in candidates]


def _candidates(rank: int, match: Match) -> list[Candidate]:
    """Return what of the chunk can be quoted, titles only where there is nothing else. What stands below one has its
    words."""
    nearby = terms_of("\n".join([*match.path, match.text]))
    found, titles, title = list[Candidate](), list[Candidate](), frozenset[str]()
    for passage in passages_of(match):
        text = match.text[passage.span.start : passage.span.end]
        if not (terms := terms_of(text)) or passage.is_header or HEADING.match(text):
            continue
        below = frozenset[str]() if passage.is_title else title
        named = terms | terms_of(passage.header) | below
        candidate = Candidate(rank, match, passage.span, named, nearby, passage.header)
        if passage.is_title:
            title = terms
        (titles if passage.is_title else found).append(candidate)
    return found or titles


def _harmless(scores: Sequence[float], candidates: Sequence[Candidate]) -> Iterator[tuple[float, Candidate]]:
    """Yield, best first, what can be quoted. Reading a text as Markdown takes long, so that few are read."""
    scored = sorted(zip(scores, candidates, strict=True), key=lambda scored: -scored[0])
    return ((score, candidate) for score, candidate in scored if not _shows_more_than_text(candidate.text))


def _shows_more_than_text(text: str) -> bool:
    """Tell whether a reader's browser would fetch something, and so tell its host that the question was asked."""
    if BRACKETS.isdisjoint(text):
        return False
    links = find_links(text)
    return links.fetches or links.cut


def _once(candidates: Iterable[Candidate]) -> list[Candidate]:
    """Keep the first of equal sentences: in eight copies a sentence is not eight times as frequent."""
    first: dict[str, Candidate] = {}
    for candidate in candidates:
        first.setdefault(" ".join(candidate.text.split()), candidate)
    return list(first.values())


def _weights(question: str, asked: list[Word], candidates: list[Candidate]) -> dict[Word, float]:
    frequency = Counter(term for candidate in candidates for term in candidate.terms)
    # A word is no rarer for being in no sentence of the other language.
    korean = bool(HAS_HANGUL.search(question))
    count = sum(bool(HAS_HANGUL.search(candidate.text)) == korean for candidate in candidates) or len(candidates)
    weights = {word: sum(math.log1p(count / (frequency[term] + 1)) for term in word) / len(word) for word in asked}
    for word in asked:
        if LONG_NUMBER.match(word[0]):
            weights[word] *= NUMBER_WEIGHT
    if len(asked) > 1 and HANGUL_END.search(question):
        weights[asked[-1]] *= KOREAN_VERB
    return weights


def _share(weights: dict[Word, float], candidate: Candidate) -> float:
    held = 0.0
    for word, weight in weights.items():
        here = precision([word], candidate.terms)
        held += weight * (here + NEARBY * (precision([word], candidate.nearby) - here))
    return held / sum(weights.values())


def _names(question: str) -> frozenset[str]:
    """Return the terms of its capitalised words but the first.

    None of a Korean question, as the document may have them in Hangul, nor where every word is capitalised.
    """
    if HAS_HANGUL.search(question) or not NO_NAME.search(question):
        return frozenset()
    return frozenset[str]().union(*map(terms_of, NAME.findall(question)))


def _bonus(answer: Expected, candidate: Candidate) -> float:
    return EXPECTED * answer.is_in(candidate.text) - RANK * (min(candidate.marker, LAST_RANK) - 1)


def _needed(best: Sequence[tuple[float, Candidate]]) -> list[Candidate]:
    """Return the best, and what is nearly as good in the order of the sources, those of its own source first.

    Beside a row of a table only rows of the same are needed.
    """
    (most, first), *others = best
    beside = [(score, each) for score, each in others if not first.header or each.header == first.header]
    needed = [each for score, each in beside if score >= most * _nearness(first, each)]
    return [first, *sorted(needed, key=lambda each: (each.marker != first.marker, each.marker, each.span.start))]


def _nearness(first: Candidate, other: Candidate) -> float:
    """Return the share of the best one's score from which another is needed beside it."""
    if first.header:
        return NEARLY_AS_GOOD_A_ROW
    return NEARLY_AS_GOOD if other.marker == first.marker else NEARLY_AS_GOOD_ELSEWHERE


def _quoted(chosen: list[Candidate]) -> Support:
    """Write a row below its header, which is written once for several rows."""
    answer = header = ""
    citations: list[Citation] = []
    for candidate in chosen:
        if answer:
            answer += "\n" if candidate.header == header != "" else "\n\n" if candidate.header or header else " "
        if candidate.header and candidate.header != header:
            answer += candidate.header.rstrip("\n") + "\n"
        header = candidate.header
        span = Span(len(answer), len(answer) + len(candidate.text))
        answer += f"{candidate.text} [{candidate.marker}]"
        citations.append(Citation(candidate.marker, candidate.match, candidate.text, span, candidate.span))
    return Support(answer, citations, [])

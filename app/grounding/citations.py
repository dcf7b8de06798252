"""Check an answer's citation markers sentence by sentence, as it comes, and quote what supports each sentence. Pure.

The text of a sentence can be shown up to its first marker; the rest waits for its check (evidence.py), which corrects
or removes the markers. A sentence ends where the few characters after it say so, whatever follows them: the result is
the same in one piece and in many. In JSON the text stays as it is, and each value is checked by itself.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from app.grounding.bare_answers import BareAnswer, bare_answer
from app.grounding.evidence import Evidence, Reason, Sources, Verdict
from app.grounding.json_values import Value, is_json, may_be_json, values
from app.grounding.markers import MARKER, Marker, Span, markers_in, with_markers
from app.language.sentences import STOP, split_sentences
from app.retrieval.match import Match

# What may become a marker, or white space before one.
HELD = re.compile(r"(?<!\s)\s*(?:\[[ \t]{0,3}(?:[0-9]|\Z)|\Z)")
MAY_END = re.compile(r"[.?!…｡．？！。\n\r\v\f\x85\u2028\u2029]+")
# How much of the text around its end decides where a sentence ends.
BEFORE_END, AFTER_END = 1000, 48


@dataclass(frozen=True, slots=True)
class Citation:
    """`marker` is the rank of `match` among the matches, from 1; `quote` is `match.text[chunk_span]`, literally.

    `support` is how much of the sentence the quote supports by its words, or a judge's probability that it does.
    """

    marker: int
    match: Match
    quote: str
    answer_span: Span
    chunk_span: Span
    support: float = 1
    reason: Literal["words", "judged"] = "words"


@dataclass(frozen=True, slots=True)
class CheckedSentence:
    """A sentence of an answer, as it was written, and what the words of the sources say of it."""

    span: Span
    text: str
    verdict: Verdict


@dataclass(frozen=True, slots=True)
class Support:
    """The spans refer to `answer`, which has lost the markers that nothing supports."""

    answer: str
    citations: list[Citation]
    unsupported: list[Span]
    unchecked: list[Span] = field(default_factory=list)
    """What a judge was to check, and did not."""
    reasons: Mapping[Span, Reason] = field(default_factory=dict, compare=False)
    """Of the unsupported spans."""
    sentences: Sequence[CheckedSentence] = field(default=(), compare=False)
    """What a judge may check. None of an answer in JSON."""


def cite(answer: str, matches: Sequence[Match], question: str = "") -> Support:
    """Take the model's markers as hints: a chunk it names is tried first, and must support the sentence."""
    checker = CitationChecker(matches, question)
    checker.feed(answer)
    return checker.finish()


class CitationChecker:
    """Takes an answer as it comes. feed() and `due` cost little; check() and finish() belong in a thread."""

    def __init__(self, matches: Sequence[Match], question: str = "", *, structured: bool = False) -> None:
        self._matches = matches
        self._question = question
        self._structured = structured
        self._raw = ""
        self._shown = self._checked = self._searched = 0
        """Up to where the raw text has been shown, checked, and searched for ends of sentences."""
        self._ends: list[int] = []
        self._clean = ""
        self._citations: list[Citation] = []
        self._unsupported: list[Span] = []
        self._bare: list[Span] = []
        self._reasons: dict[Span, Reason] = {}
        self._sentences: list[CheckedSentence] = []
        self._claimed = False
        """Whether a sentence has said something of its own: "It is." after it does not answer the question."""
        self._sources: Sources | None = None

    @property
    def text(self) -> str:
        """What was fed."""
        return self._raw

    @property
    def due(self) -> bool:
        """Whether a sentence has come to its end."""
        return bool(self._ends)

    def feed(self, text: str) -> str:
        """Add text; return what can be shown before it is checked."""
        self._raw += text
        if self._structured:
            self._shown = len(self._raw)
            return text
        if may_be_json(self._raw):
            return ""
        self._find_ends(final=False)
        return self._show()

    def check(self) -> str:
        """Check the sentences that have come to their end; return what can be shown then."""
        shown = "".join(self._check_to(end) for end in self._ends)
        self._ends.clear()
        return shown + self._show()

    def finish(self) -> Support:
        """Check the rest."""
        self._raw = self._raw.rstrip()
        if self._structured or is_json(self._raw):
            self._check_json()
        else:
            self._find_ends(final=True)
            for end in (*self._ends, len(self._raw)):
                self._check_to(end)
        # A bare yes that no source bears on stands for what the next sentence says, if there is one.
        unsupported = self._unsupported or ([] if self._citations else self._bare)
        reasons = {span: self._reasons.get(span, "no_source") for span in unsupported}
        return Support(self._clean, self._citations, unsupported, reasons=reasons, sentences=self._sentences)

    def _find_ends(self, *, final: bool) -> None:
        base = self._ends[-1] if self._ends else self._checked
        for found in MAY_END.finditer(self._raw, self._searched):
            limit = found.start() + AFTER_END
            if limit > len(self._raw) and not final:
                self._searched = found.start()
                return
            if (end := self._end(base, found.start(), limit)) is not None:
                self._ends.append(end)
                base = end
        self._searched = len(self._raw)

    def _end(self, base: int, at: int, limit: int) -> int | None:
        """Return where a sentence ends at this stop or line break, if one does. It does not end within code."""
        begin = max(base, at - BEFORE_END)
        stop = STOP.match(self._raw, at, limit)
        end = stop.end() if stop else begin + len(self._raw[begin:at].rstrip())
        ends = (begin + each for _, each in split_sentences(self._raw[begin:limit]))
        return end if end in ends and self._raw.count("`", base, end) % 2 == 0 else None

    def _show(self) -> str:
        held = HELD.search(self._raw, self._shown)
        assert held is not None
        text = self._raw[self._shown : held.start()]
        self._shown = held.start()
        return text

    def _check_to(self, end: int) -> str:
        """Check these sentences; return what of them has not been shown."""
        base, before = self._checked, len(self._clean)
        markers = list(markers_in(self._raw, base, end, len(self._matches)))
        at = base
        for start, stop in split_sentences(self._raw[base:end]):
            self._clean += self._raw[at : base + start]
            at = base + stop
            self._check_sentence(base + start, at, [each for each in markers if base + start <= each.span.start < at])
        self._clean += self._raw[at:end]
        hidden = self._clean[before + max(0, self._shown - base) :]
        self._checked, self._shown = end, max(self._shown, end)
        return hidden

    def _check_sentence(self, start: int, stop: int, markers: Sequence[Marker]) -> None:
        sentence = self._raw[start:stop]
        hints = frozenset[int]().union(*(marker.ranks for marker in markers))
        bare = bare_answer(MARKER.sub("", sentence))
        if bare and self._claimed and not bare.whole:
            bare = None
        verdict = self._verdict(sentence, hints, "", bare)
        self._claimed |= bare is None and verdict is not None
        supporting = {piece.marker for piece in verdict.pieces} if verdict else set()
        cited = {citation.marker for citation in self._citations}
        corrected = with_markers(self._raw, Span(start, stop), markers, supporting, () if verdict else cited)
        span = Span(len(self._clean), len(self._clean) + len(corrected))
        self._clean += corrected
        self._record(span, verdict)
        if verdict is not None and verdict.nearest is not None:
            self._sentences.append(CheckedSentence(span, MARKER.sub("", sentence).strip(), verdict))
        if verdict is None and bare and bare.whole:
            self._bare.append(span)

    def _check_json(self) -> None:
        self._clean = self._raw
        checked = [(value, self._of_value(value)) for value in values(self._raw)]
        cited = {piece.marker for _, verdict in checked if verdict for piece in verdict.pieces}
        for value, verdict in checked:
            right = {piece.marker for piece in verdict.pieces} if verdict and verdict.pieces else cited
            ranks = [marker.ranks for marker in markers_in(self._raw, value.start, value.end, len(self._matches))]
            # A marker cannot be corrected here, since the caller's schema may not allow it.
            wrong = any(not named or not named <= right for named in ranks)
            self._record(Span(value.start, value.end), Verdict([], 0, "no_source") if wrong else verdict)

    def _of_value(self, value: Value) -> Verdict | None:
        if value.is_literal and value.text == "null":
            return Verdict([], 0, "negated") if self._opened().mention(value.key) else None
        bare = (
            BareAnswer(value.text == "true", by_verb=False, whole=True) if value.is_literal else bare_answer(value.text)
        )
        hints = (marker.ranks for marker in markers_in(value.text, 0, len(value.text), len(self._matches)))
        verdict = self._verdict(value.text, frozenset[int]().union(*hints), value.key, bare)
        return Verdict([], 0, "no_source") if verdict is None and bare and bare.whole else verdict

    def _record(self, span: Span, verdict: Verdict | None) -> None:
        if verdict is None:
            return
        self._citations.extend(citation_of(piece, self._matches, span, verdict.score) for piece in verdict.pieces)
        if verdict.reason is not None:
            self._unsupported.append(span)
            self._reasons[span] = verdict.reason

    def _verdict(self, text: str, hints: frozenset[int], statement: str, bare: BareAnswer | None) -> Verdict | None:
        """Find what supports the text, or for a bare one what says so of the statement."""
        verdict = self._opened().affirming(statement, bare) if bare else None
        return self._opened().supporting(text, hints) if verdict is None and not (bare and bare.whole) else verdict

    def _opened(self) -> Sources:
        # Late, since it costs milliseconds, and the first text can be shown without.
        if self._sources is None:
            self._sources = Sources(self._matches, self._question)
        return self._sources


def citation_of(
    piece: Evidence, matches: Sequence[Match], span: Span, support: float, reason: Literal["words", "judged"] = "words"
) -> Citation:
    match = matches[piece.marker - 1]
    quote = match.text[piece.span.start : piece.span.end]
    return Citation(piece.marker, match, quote, span, piece.span, support, reason)
